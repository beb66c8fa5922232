(() => {
  "use strict";
  const script = document.currentScript, root = script.src.replace(/[^/]*$/, "");
  const pages = new URL(root).origin, close = script.dataset.close || "Close";
  let dialog, frame, opener;

  const build = () => {
    dialog = document.createElement("dialog");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = close;
    button.addEventListener("click", () => dialog.close());
    frame = document.createElement("iframe");
    // Held at the top: the button must not move while the page in the frame grows.
    Object.assign(dialog.style, { width: "min(30rem, 100%)", margin: "5vh auto", padding: 0, border: 0, borderRadius: "12px" });
    Object.assign(button.style, { font: "inherit", float: "inline-end", margin: ".75rem", padding: ".5rem 1rem" });
    Object.assign(frame.style, { display: "block", clear: "both", width: "100%", height: "36rem", border: 0 });
    dialog.append(button, frame);
    dialog.addEventListener("close", () => {
      frame.removeAttribute("src");
      opener.focus();
    });
    document.body.append(dialog);
  };

  addEventListener("message", ({ origin, source, data }) => {
    if (!frame || origin !== pages || source !== frame.contentWindow || !data || data.paygate !== 1) return;
    if (data.kind === "size" && data.value > 0) frame.style.height = `min(${Math.ceil(data.value)}px, 80vh)`;
    if (data.kind === "close") dialog.close();
    if (data.kind === "result") {
      opener.dispatchEvent(new CustomEvent("paygate:result", { bubbles: true, detail: data.value }));
    }
  });

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-paygate]");
    const plain = event.ctrlKey || event.metaKey || event.shiftKey || event.button;
    if (!link || plain || !link.href.startsWith(root) || !window.HTMLDialogElement) return;
    event.preventDefault();
    opener = link;
    if (!dialog) build();
    dialog.setAttribute("aria-label", link.textContent.trim());
    frame.title = link.textContent.trim();
    frame.src = link.href;
    dialog.showModal();
  });
})();
