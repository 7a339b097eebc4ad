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
  const ask = document.getElementById("ask");
  const part = (name) => document.getElementById(`ask-${name}`);
  let wish = null;
  // Nothing is done without a yes; what the button stands for is told in words and as a command.
  const confirm = (action, body, say, command, needsReason) => {
    wish = { action, body };
    part("say").textContent = say;
    part("command").textContent = command || "";
    part("why").hidden = !needsReason;
    part("reason").required = needsReason;
    part("reason").value = "";
    part("problem").hidden = true;
    ask.showModal();
  };
  part("no").addEventListener("click", () => ask.close());
  ask.querySelector("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = { ...wish.body };
    if (part("reason").required) body.reason = part("reason").value;
    part("yes").disabled = true;
    try {
      const answer = await fetch(`${document.body.dataset.base}/api/v1/actions/${wish.action}`, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-CSRF-Token": document.body.dataset.csrf },
        body: JSON.stringify(body),
      });
      const found = await answer.json();
      if (!answer.ok) throw new Error(typeof found.detail === "string" ? found.detail : `The server says ${answer.status}.`);
      ask.close();
      document.getElementById("told").textContent = found.message;
      document.dispatchEvent(new CustomEvent("sinagot:done"));
      if (["include", "exclude"].includes(wish.action) && location.pathname.endsWith("/decisions")) location.reload();
    } catch (error) {
      part("problem").textContent = error.message;
      part("problem").hidden = false;
    } finally { part("yes").disabled = false; }
  });
  document.body.addEventListener("submit", (event) => {
    const form = event.target.closest("[data-form]");
    if (!form) return;
    event.preventDefault();
    const facts = Object.fromEntries(new FormData(form));
    const body = { records: [facts.record], reason: facts.reason };
    if (facts.step) body.step = facts.step;
    confirm(form.dataset.form, body, `Leave ${facts.step || "all steps"} of ${facts.record} out of runs: ${facts.reason}`, "", false);
  });
  document.body.addEventListener("click", async (event) => {
    const does = event.target.closest("[data-action]");
    if (does) confirm(does.dataset.action, JSON.parse(does.dataset.body), does.dataset.say, does.dataset.command, does.dataset.reason === "yes");
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
