(() => {
  const page = document, body = page.body.dataset, began = Date.now(), waits = [2, 5, 10];
  const at = (id) => page.getElementById(id);
  const each = (what, act) => page.querySelectorAll(what).forEach(act);
  const tell = (text) => { at("news").textContent = text; };
  const reveal = (button, act) => { button.hidden = false; button.onclick = act; };
  const embed = (kind, value) => {
    if (body.embed && parent !== self) body.embed.split(" ").forEach((origin) =>
      parent.postMessage({ paygate: 1, kind, value }, origin));
  };

  const ready = () => {
    each("[data-does=print]", (button) => reveal(button, () => print()));
    each("[data-copy]", (button) => navigator.clipboard && reveal(button, async () => {
      await navigator.clipboard.writeText(at(button.dataset.copy).textContent);
      tell(button.dataset.done);
    }));
    each("#problem", (problem) => problem.focus());
    each("form[data-go]", (form) => form.requestSubmit());
    if (body.result) embed("result", body.result);
  };

  const renew = async () => {
    const got = await fetch(location.href);
    const next = new DOMParser().parseFromString(await got.text(), "text/html");
    if (!got.ok || next.querySelector("[http-equiv],[data-go],#processor")) return location.reload();
    const main = page.querySelector("main"), held = main.contains(page.activeElement);
    main.replaceWith(next.querySelector("main"));
    page.title = next.title;
    Object.assign(body, { poll: "", result: "" }, next.body.dataset);
    const title = at("title");
    tell(title.textContent);
    if (held) { title.tabIndex = -1; title.focus(); }
    ready();
  };

  const later = () => {
    if (body.poll && Date.now() - began < 18e5) setTimeout(look, 1e3 * (waits.shift() || 30));
  };
  const look = async () => {
    try {
      const got = await fetch(body.poll);
      if (got.ok && (await got.json()).version !== body.version) await renew();
    } catch { }
    later();
  };

  ready();
  later();
  new ResizeObserver(() => embed("size", page.documentElement.scrollHeight)).observe(page.body);
})();
