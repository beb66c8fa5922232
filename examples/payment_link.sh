#!/bin/sh
# An order from the entry to the refund with curl and jq: API and KEY name the API and a key with
# all scopes. Between the link and the payment, the payer pays; WAIT is a command that waits for it.
set -eu

call() { # METHOD PATH [KEY BODY]
  if [ $# -gt 2 ]; then
    curl --silent --show-error --fail-with-body --request "$1" "$API$2" \
      --header "Authorization: Bearer $KEY" --header "Idempotency-Key: $3" --json "$4"
  else
    curl --silent --show-error --fail-with-body --request "$1" "$API$2" \
      --header "Authorization: Bearer $KEY"
  fi
}

entry=$(call POST /v1/prepayments order-7 '{
  "customer": "C-1",
  "amount": {"amount": "49.00", "currency": "USD"},
  "assignment_key": "ORDER-7",
  "link": {}
}')
link=$(echo "$entry" | jq --raw-output .link.id)
echo "pay at $(echo "$entry" | jq --raw-output .link.url)"
$WAIT "$(echo "$entry" | jq --raw-output .link.url)"

payment=$(call GET "/v1/links/$link" | jq --raw-output .payment)
call GET "/v1/payments/$payment" | jq --raw-output '"payment \(.status): \(.received.amount)"'

call POST /v1/invoices invoice-7 '{
  "number": "INV-7",
  "customer": "C-1",
  "total": {"amount": "49.00", "currency": "USD"},
  "due": "2031-12-31",
  "assignment_key": "ORDER-7"
}' | jq --raw-output '"invoice \(.number) \(.status)"'

call POST "/v1/payments/$payment/refunds" refund-7 '{"amount": {"amount": "9.00", "currency": "USD"}}' |
  jq --raw-output '"refund \(.state): \(.succeeded.amount)"'
call GET "/v1/invoices/INV-7" | jq --raw-output '"open \(.open.amount)"'
