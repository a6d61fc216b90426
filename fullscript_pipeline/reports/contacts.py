"""Whom to call about a patient: their e-mail address and mobile number, or those of the guardian of a dependent.

What does not belong here: whether contact data is shown (`PageContext.contact`), HTML (templates/).
"""

from fullscript_pipeline.reports.language import PageLanguage
from fullscript_pipeline.reports.page_queries import PagePatient, full_name


def contact_lines(patient: PagePatient, language: PageLanguage) -> list[str]:
    """One line for the patient and one for the guardian, as far as anything is known of them."""
    own = ", ".join(filter(None, (patient.mobile_number, patient.email)))
    lines = [language.gettext("Contact: %(addresses)s.", addresses=own)] if own else []
    if patient.guardian_patient_id:
        lines.append(_guardian_line(patient, language))
    elif not own:
        lines.append(language.gettext("Contact: no e-mail address or mobile number in Fullscript."))
    texts_on = patient.guardian_texts_on if patient.guardian_patient_id else patient.texts_on
    if texts_on is False:
        lines.append(language.gettext("Text reminders are off."))
    elif texts_on:
        lines.append(language.gettext("Text reminders are on."))
    return lines


def _guardian_line(patient: PagePatient, language: PageLanguage) -> str:
    name = full_name(patient.guardian_first_name, patient.guardian_last_name) or language.gettext("not named")
    addresses = ", ".join(filter(None, (patient.guardian_mobile_number, patient.guardian_email)))
    if addresses:
        return language.gettext("Guardian: %(name)s, %(addresses)s.", name=name, addresses=addresses)
    return language.gettext("Guardian: %(name)s, no e-mail address or mobile number in Fullscript.", name=name)
