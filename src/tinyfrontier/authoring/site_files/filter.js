// Narrows a table down to the rows that fit what stands in the form above it. Without it the whole table is shown.
"use strict";
for (const form of document.querySelectorAll("form.narrow")) {
  const rows = [...document.getElementById(form.dataset.what).tBodies[0].rows];
  const fields = [...form.querySelectorAll("select")];
  const search = form.elements.words;
  const count = form.querySelector("output");

  const fits = (row, words) =>
    fields.every((field) => !field.value || row.dataset[field.name].split("|").includes(field.value)) &&
    words.every((word) => row.textContent.toLowerCase().includes(word));

  const narrow = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      row.hidden = !fits(row, words);
      shown += !row.hidden;
    }
    count.textContent = shown === rows.length ? `${shown} ${form.dataset.what}` : `${shown} of ${rows.length} ${form.dataset.what}`;
  };

  form.addEventListener("input", narrow);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  narrow();
}
