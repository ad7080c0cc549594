// The list of messages: what others post appears by itself.
"use strict";

const list = document.querySelector("[data-news]");
let newest = list.dataset.newest;
let source = null;

function listen() {
  source = new EventSource(`${list.dataset.news}?after=${newest}`);
  source.onmessage = show;
  source.onerror = () => {
    // A lost connection comes back by itself, with Last-Event-ID; after another answer than news the browser gives up.
    if (source?.readyState === EventSource.CLOSED) setTimeout(() => document.hidden || listen(), 5000);
  };
}

function show({ data, lastEventId }) {
  const { card, count } = JSON.parse(data);
  newest = lastEventId;
  list.insertAdjacentHTML("afterbegin", card); // made and escaped by markup.py, like the cards that are there
  list.firstElementChild.classList.add("new");
  document.getElementById("count").textContent = count;
}

// A browser has few connections for a site, so a page that nobody sees leaves them to the others.
document.addEventListener("visibilitychange", () => {
  source?.close();
  if (!document.hidden) listen();
});
if (!document.hidden) listen();
