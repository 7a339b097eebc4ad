// Small things of all pages: a token behind "#" goes off the address, the sign of life, copying, proof of forms.
"use strict";
if (location.hash.startsWith("#token=")) history.replaceState(null, "", location.pathname + location.search);

document.addEventListener("DOMContentLoaded", () => {
  const live = document.getElementById("live");
  const word = document.getElementById("live-word");
  const say = (text, isLost) => { word.textContent = text; live.classList.toggle("is-lost", isLost); };
  document.body.addEventListener("htmx:sseOpen", () => say("live", false));
  document.body.addEventListener("htmx:sseError", () => say("not connected", true));
  document.body.addEventListener("htmx:sseMessage", (event) => {
    if (event.detail.type !== "change") return;
    const [version, time] = event.detail.data.split(" ");
    const isNew = live.dataset.version && live.dataset.version !== version;
    live.dataset.version = version;
    say(isNew ? `live, changed ${time}` : "live", false);
    document.dispatchEvent(new CustomEvent("sinagot:change"));
  });
  document.body.addEventListener("htmx:configRequest", (event) => {
    event.detail.headers["X-CSRF-Token"] = document.body.dataset.csrf;
  });
  document.body.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const text = button.dataset.copy;
    try { await navigator.clipboard.writeText(text); } catch {
      const range = document.createRange();
      range.selectNodeContents(button.previousElementSibling);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      document.execCommand("copy");
    }
    const before = button.firstChild.textContent;
    button.firstChild.textContent = "Copied";
    setTimeout(() => { button.firstChild.textContent = before; }, 1500);
  });
});
