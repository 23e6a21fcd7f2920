"use strict";
(() => {
  const form = document.getElementById("filter");
  const words = document.getElementById("words");
  const shown = document.getElementById("shown");
  const groups = [...document.querySelectorAll("section.group")];
  const cases = [...document.querySelectorAll("details.case")];
  const texts = new Map(cases.map((item) => [item, item.textContent.toLowerCase()]));

  function apply() {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const boxes = [...form.querySelectorAll("input[type=checkbox]")];
    const outcomes = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    let count = 0;
    for (const item of cases) {
      const text = texts.get(item);
      const fits =
        (outcomes.size === 0 || outcomes.has(item.dataset.outcome)) &&
        wanted.every((word) => text.includes(word));
      item.hidden = !fits;
      count += fits ? 1 : 0;
    }
    for (const group of groups) {
      group.hidden = !group.querySelector("details.case:not([hidden])");
    }
    shown.textContent = `${count} of ${cases.length} cases shown`;
  }

  // A link to a case shows it, whatever is filtered, and opens it.
  function follow() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) {
      return;
    }
    if (target.matches("details.case, section.group") && target.hidden) {
      form.reset();
      apply();
    }
    if (target.matches("details.case")) {
      target.open = true;
      target.querySelector("summary").focus();
    }
    target.scrollIntoView();
  }

  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  // The fields have their old values until the event is over.
  form.addEventListener("reset", () => setTimeout(apply));
  document.getElementById("open").addEventListener("click", () => {
    for (const item of cases) {
      item.open = item.open || !item.hidden;
    }
  });
  document.getElementById("close").addEventListener("click", () => {
    for (const item of cases) {
      item.open = false;
    }
  });
  window.addEventListener("hashchange", follow);
  form.hidden = false;
  apply();
  follow();
})();
