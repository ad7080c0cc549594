// The form of a new message: shows how far a picture is on its way. Without this script the browser sends the form.
"use strict";

const MEGABYTE = 2 ** 20;

document.addEventListener("change", ({ target }) => {
  if (target.id !== "picture") return;
  const largest = Number(target.dataset.largest);
  const size = target.files[0]?.size ?? 0;
  // The server checks it, too; here nobody has to wait for that.
  const [most, has] = [largest, size].map((octets) => Math.ceil(octets / MEGABYTE));
  target.setCustomValidity(size > largest ? `At most ${most} MB, please; this has ${has} MB.` : "");
  target.reportValidity();
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.elements.picture.files.length) return; // the text alone needs no progress
  event.preventDefault();
  send(form);
});

function send(form) {
  const request = new XMLHttpRequest(); // fetch() cannot tell how much has left
  request.responseType = "document";
  request.upload.onprogress = ({ loaded, total }) => showProgress(form, Math.floor((100 * loaded) / total));
  request.onload = () => {
    if (request.status < 400) location.assign(request.responseURL);
    else showAnswer(form, request.response);
  };
  request.onerror = () => showProblem(form, "The connection was lost. Please try again.");
  request.open("POST", form.action);
  request.send(new FormData(form));
  form.querySelector("button").disabled = true;
  form.querySelector(".progress").hidden = false;
  showProgress(form, 0);
}

function showProgress(form, percent) {
  form.querySelector("progress").value = percent;
  form.querySelector(".progress span").textContent = percent < 100 ? `${percent} %` : "Sent, one moment …";
}

// The server's page has the form again, with what is wrong; what was written stays.
function showAnswer(form, page) {
  const fresh = page?.querySelector("main form");
  if (!fresh) return showProblem(form, page?.querySelector("h1")?.textContent ?? "The server has a problem.");
  for (const name of ["author", "text"]) fresh.elements[name].value = form.elements[name].value;
  document.title = page.title;
  document.querySelector("main").replaceWith(page.querySelector("main"));
  document.querySelector("[aria-invalid]")?.focus();
}

function showProblem(form, text) {
  document.querySelector(".alert")?.remove();
  const alert = Object.assign(document.createElement("p"), { className: "alert", textContent: text });
  alert.setAttribute("role", "alert");
  form.before(alert);
  form.querySelector("button").disabled = false;
  form.querySelector(".progress").hidden = true;
}
