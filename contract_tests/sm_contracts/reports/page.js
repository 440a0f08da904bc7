"use strict";
(() => {
  const rules = [...document.querySelectorAll(".rule")];
  const buttons = [...document.querySelectorAll("[data-filter-status]")];
  const severity = document.getElementById("severity");
  const search = document.getElementById("search");
  const count = document.getElementById("count");

  // the address remembers the choice, so that it can be sent to somebody: #status=fail,pass&severity=error&text=ping
  const asked = new URLSearchParams(location.hash.slice(1));
  if (asked.has("status")) {
    const wanted = asked.get("status").split(",");
    for (const button of buttons) {
      button.setAttribute("aria-pressed", String(wanted.includes(button.dataset.filterStatus)));
    }
  }
  severity.value = asked.get("severity") ?? "";
  search.value = asked.get("text") ?? "";

  const apply = () => {
    const wanted = buttons.filter((one) => one.getAttribute("aria-pressed") === "true").map((one) => one.dataset.filterStatus);
    const text = search.value.trim().toLowerCase();
    let shown = 0;
    for (const rule of rules) {
      const fits = wanted.includes(rule.dataset.status)
        && (severity.value === "" || severity.value === rule.dataset.severity)
        && rule.textContent.toLowerCase().includes(text);
      rule.hidden = !fits;
      shown += fits ? 1 : 0;
    }
    count.textContent = `${shown} of ${rules.length} rules shown`;
    return { status: wanted.join(","), severity: severity.value, text: search.value };
  };
  const changed = () => history.replaceState(null, "", `#${new URLSearchParams(apply())}`);

  for (const button of buttons) {
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
      changed();
    });
  }
  severity.addEventListener("change", changed);
  search.addEventListener("input", changed);
  document.querySelector(".filters").hidden = false;
  apply();

  // a link to a rule shows it, whatever the filters say
  const target = asked.has("rule") && document.getElementById(asked.get("rule"));
  if (target) {
    target.hidden = false;
    target.open = true;
    target.scrollIntoView();
  }
})();
