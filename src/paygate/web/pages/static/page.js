(() => {
  const doc = document, body = doc.body.dataset, waits = [2,5,10];
  const at = (id) => doc.getElementById(id);
  const each = (what, act) => doc.querySelectorAll(what).forEach(act);
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
    at("problem")?.focus();
    doc.querySelector("[data-go]")?.requestSubmit();
    if (body.result) embed("result", body.result);
  };

  const renew = async () => {
    const got = await fetch(location.href);
    const next = new DOMParser().parseFromString(await got.text(), "text/html");
    if (!got.ok || next.querySelector("[http-equiv],[data-go],#processor")) return location.reload();
    const main = doc.querySelector("main"), held = main.contains(doc.activeElement);
    main.replaceWith(next.querySelector("main"));
    doc.title = next.title;
    doc.body.className = next.body.className;
    Object.assign(body, { poll: "", result: "" }, next.body.dataset);
    const title = at("title");
    tell(title.textContent);
    if (held) { title.tabIndex = -1; title.focus(); }
    ready();
  };

  const later = () => {
    if (body.poll && performance.now() < 18e5) setTimeout(look, 1e3 * (waits.shift() || 30));
  };
  const look = async () => {
    try {
      const got = await fetch(body.poll);
      if (got.ok && (await got.json()).version !== body.version) await renew();
    } catch {}
    later();
  };

  ready();
  later();
  addEventListener("keydown", ({ key }) => key === "Escape" && embed("close"));
  new ResizeObserver(() => embed("size", doc.documentElement.scrollHeight)).observe(doc.body);
})();
