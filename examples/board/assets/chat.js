// The chat. The messages on the socket are described in chat.py.
"use strict";

const [lines, form, author, text, status, problem] = ["lines", "say", "author", "text", "status", "problem"].map((id) =>
  document.getElementById(id),
);
const SHORTEST_WAIT = 500; // milliseconds
const LONGEST_WAIT = 30_000;
let socket;
let wait = SHORTEST_WAIT;

author.value ||= localStorage.getItem("author") ?? "";

const SHOW = {
  history(news) {
    lines.replaceChildren(...news.lines.map(asItem));
    scrollDown();
  },
  line(news) {
    const isAtEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 50;
    lines.append(asItem(news.line));
    if (isAtEnd) scrollDown();
  },
  people({ count }) {
    status.textContent = count === 1 ? "Nobody else is here" : `${count} people are here`;
  },
  problem(news) {
    problem.textContent = news.text;
  },
};

function connect() {
  socket = new WebSocket(location.origin.replace(/^http/, "ws") + form.dataset.socket);
  socket.onopen = () => (wait = SHORTEST_WAIT);
  socket.onmessage = ({ data }) => {
    const news = JSON.parse(data);
    SHOW[news.kind](news);
  };
  socket.onclose = () => {
    status.textContent = "Not connected, trying again …";
    // All browsers have lost a server that restarts; they are not to come back in the same moment.
    setTimeout(connect, wait * (0.5 + Math.random()));
    wait = Math.min(2 * wait, LONGEST_WAIT);
  };
}

// textContent: what others write is text, whatever it looks like.
function asItem(line) {
  const item = document.createElement("li");
  const name = Object.assign(document.createElement("bdi"), { className: "author", textContent: line.author });
  const when = Object.assign(document.createElement("time"), { className: "muted", dateTime: line.time });
  when.textContent = new Date(line.time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const said = Object.assign(document.createElement("p"), { className: "text", dir: "auto", textContent: line.text });
  item.append(name, " ", when, said);
  return item;
}

function scrollDown() {
  lines.scrollTop = lines.scrollHeight;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (socket.readyState !== WebSocket.OPEN) {
    problem.textContent = "This was not sent: there is no connection.";
    return;
  }
  socket.send(JSON.stringify({ author: author.value, text: text.value }));
  localStorage.setItem("author", author.value);
  problem.textContent = "";
  text.value = "";
  text.focus();
});

connect();
