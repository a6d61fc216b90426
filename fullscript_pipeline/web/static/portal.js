"use strict";
// Without this script there is a button or a link for each of these.

// Searches as one types.
(() => {
  const form = document.getElementById("search");
  const found = document.getElementById("found");
  if (!form || !found) return;
  let timer = 0;
  let running = null;
  const search = async () => {
    if (running) running.abort();
    running = new AbortController();
    try {
      const body = new URLSearchParams(new FormData(form));
      const answer = await fetch(form.action, { method: "POST", body, signal: running.signal });
      if (answer.status === 401) {
        location.href = "/";
        return;
      }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const rows = page.getElementById("found");
      if (rows) found.replaceChildren(...rows.childNodes);
    } catch (error) {
      if (error.name !== "AbortError") form.submit();
    }
  };
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(search, 200);
  };
  form.addEventListener("input", later);
})();

// Shows how far a request to the pipeline is, until it is over; then the page that follows.
(() => {
  const shown = document.getElementById("progress");
  if (!shown || !shown.dataset.askAgain) return;
  const ask = async () => {
    try {
      const answer = await fetch(shown.dataset.askAgain);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const progress = page.getElementById("progress");
      if (!progress || !progress.dataset.askAgain) {
        location.reload();
        return;
      }
      if (shown.textContent !== progress.textContent) shown.textContent = progress.textContent;
    } catch (error) {
      // The next try may succeed.
    }
    setTimeout(ask, 1000);
  };
  setTimeout(ask, 1000);
})();

// Copies an order link. Without this script the link is selected by hand.
(() => {
  const button = document.getElementById("copy");
  const link = document.getElementById("order-link");
  if (!button || !link) return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    link.select();
    await navigator.clipboard.writeText(link.value);
    document.getElementById("copied").textContent = button.dataset.done;
  });
})();
