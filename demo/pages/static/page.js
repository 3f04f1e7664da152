// Small things of the page.

export const at = (id) => document.getElementById(id);

export function say(id, text, wrong = false) {
  const place = at(id);
  if (!place) return;
  if (place.textContent !== text) place.textContent = text;
  place.classList.toggle("fw-wrong", wrong);
}

// A table of rows [name, value, ...].
export function table(rows, caption) {
  const made = document.createElement("table");
  made.className = "fw-table";
  made.createCaption().textContent = caption;
  for (const [name, ...values] of rows) {
    const row = made.insertRow();
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = name;
    row.append(head);
    for (const value of values) row.insertCell().append(value);
  }
  return made;
}

export function meter(value) {
  const made = document.createElement("meter");
  Object.assign(made, { min: 0, max: 1, low: 0.4, value });
  made.setAttribute("aria-label", `${Math.round(value * 100)} %`);
  return made;
}

// One without work submits its form.
export function button(words, work) {
  const made = document.createElement("button");
  made.type = work ? "button" : "submit";
  made.className = "fw-button";
  made.textContent = words;
  if (work) made.onclick = work;
  return made;
}
