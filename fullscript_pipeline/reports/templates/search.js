(() => {
const find = document.getElementById("find"), who = document.getElementById("who"), said = document.getElementById("said");
const hits = document.getElementById("hits"), table = document.getElementById("everybody"), data = document.getElementById("others");
const plain = text => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
const rows = [...table.querySelectorAll("tr[data-p]")].map(row => ({row, text: plain(row.cells[0].textContent), who: row.dataset.p.split(" ")}));
const others = (data ? JSON.parse(data.textContent) : []).map(([name, href, who]) => ({name, href, text: plain(name), who: who.split(" ")}));
const search = () => {
const words = plain(find.value).split(/[\s,]+/).filter(Boolean), wanted = words.length > 0 || who.value !== "";
const isHit = one => words.every(word => one.text.includes(word)) && (who.value === "" || one.who.includes(who.value));
const far = wanted ? others.filter(isHit) : [];
let near = 0;
for (const one of rows) { one.row.hidden = !isHit(one); near += one.row.hidden ? 0 : 1; }
for (const body of table.tBodies) body.hidden = ![...body.rows].some(row => row.dataset.p !== undefined && !row.hidden);
hits.replaceChildren(...far.slice(0, 200).map(one => {
const item = document.createElement("li"), name = item.appendChild(document.createElement("a"));
name.href = one.href;
name.textContent = one.name;
return item;
}));
said.textContent = wanted ? said.dataset.said + " " + (near + far.length) : "";
};
find.addEventListener("input", search);
who.addEventListener("change", search);
document.getElementById("search").hidden = false;
search();
})();
