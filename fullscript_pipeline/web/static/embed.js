"use strict";
// Mounts Fullscript beside the patient. The grant is requested at the click, used at once, and kept nowhere.
(() => {
  const button = document.getElementById("open-embed");
  const status = document.getElementById("embed-status");
  if (!button) return;
  const { env, publicKey, domain, patient, grant, patients, formKey, changed, failed } = button.dataset;
  const send = (address) => fetch(address, { method: "POST", body: new URLSearchParams({ form_key: formKey }) });
  const readAgain = (id) => {
    status.textContent = changed;
    send(`${patients}${encodeURIComponent(id)}/read`);
  };
  let feature = null;
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const answer = await send(grant);
      if (!answer.ok) throw new Error(String(answer.status));
      const { secret_token: secretToken } = await answer.json();
      if (feature) feature.unmount();
      // eslint-disable-next-line no-undef
      feature = Fullscript({ publicKey, env, domain }).create("platform", { secretToken, patient: { id: patient } });
      feature.on("patient.selected", (event) => readAgain(event.patient.id));
      feature.on("treatmentPlan.activated", (event) => readAgain(event.treatmentPlan.patient.id));
      await feature.mount("embed");
      status.textContent = "";
    } catch (error) {
      status.textContent = failed;
    }
    button.disabled = false;
  });
})();
