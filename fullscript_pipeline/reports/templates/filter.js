(() => {
const by = id => document.getElementById(id), choices = ["in-section", "in-brand", "in-field"].map(by);
const find = by("find"), said = by("said");
const plain = text => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
const rows = [...document.querySelectorAll("tr[data-b]")].map(row => ({row, text: plain(row.textContent), section: row.closest("section")}));
const filter = () => {
const words = plain(find.value).split(/[\s,]+/).filter(Boolean), [section, brand, field] = choices.map(one => one.value);
const wanted = words.length > 0 || choices.some(one => one.value !== "");
const shown = new Map([...document.querySelectorAll("section")].map(one => [one, 0]));
let hits = 0;
for (const one of rows) {
one.row.hidden = !words.every(word => one.text.includes(word));
const isHit = !one.row.hidden && (section === "" || one.section.id === section) && (brand === "" || one.row.dataset.b === brand) && (field === "" || one.row.dataset.f === field);
if (isHit) { hits += 1; shown.set(one.section, shown.get(one.section) + 1); }
}
for (const [one, count] of shown) one.hidden = wanted && count === 0;
if (wanted) for (const one of document.querySelectorAll("details")) one.open = true;
document.querySelector("main").classList.toggle("wanted", wanted);
said.textContent = wanted ? said.dataset.said + " " + hits + " / " + rows.length : "";
};
for (const one of [...choices, find]) one.addEventListener("input", filter);
by("search").hidden = false;
filter();
})();
