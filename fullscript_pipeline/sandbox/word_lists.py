"""The words the world is made of: names, products, dosage texts, topics.

What does not belong here: code that decides anything, and any name of a real person, brand or clinic.
"""

from typing import NamedTuple

FIRST_NAMES = """
    Ava Noah Léa Mateo Chloé Liam Zoë Ethan Renée Omar Priya Hugo Anaïs Søren Mei José Björn Amélie Tomás Ingrid
    Kofi Siobhán André Yuki Dmitri Fatima Élodie Marcus Nadia Owen Paloma Quentin Rosa Samir Thérèse Umberto Violet
    Wei Ximena Yasmin Zachary Beatriz Callum Deirdre Emre Freya Gideon Hannah Isaac Jules Katarzyna Lucía Malik
    Núria Otto Petra Raúl Saoirse Tariq Una
""".split()  # noqa: SIM905 - shorter to read
LAST_NAMES = """
    O'Brien D'Angelo Müller Nuñez Lefèvre Okafor Tremblay Ng O'Connor Fernández Gagné Kowalski Petrović Lindström
    Bélanger Haddad McAllister Sørensen Nakamura García Dubois Ramírez Chen Desrosiers Abernathy Castellanos
    Fitzgerald Gauthier Hernández Iyer Jørgensen Kaplan Laframboise Moreau Novák Ouellet Pelletier Quiñones
    Rasmussen St-Pierre Thibault Underhill Vásquez Whitcombe Xavier Yılmaz Zhang Ashworth Bouchard Côté Delacroix
    Esposito Faßbender Grünwald Hollis Ivanova Juárez Kerr L'Heureux Mbeki
""".split()  # noqa: SIM905 - shorter to read
PRACTITIONER_TYPES = (
    "Naturopathic Doctor",
    "Chiropractor",
    "Registered Dietitian",
    "Medical Doctor",
    "Nurse Practitioner",
    "Acupuncturist",
)
# fmt: off
BRANDS = (
    "Alder & Finch", "BioBright", "Cobalt Labs", "Dew Point Nutrition", "Evergreen Path", "Fjordline",
    "Golden Meridian", "Hearthroot", "Inner Canopy", "Juniper Clinical", "Kelpworks", "Lumen Nutraceuticals",
    "Mossgate", "Northern Pulse", "Osier Botanicals", "Plain Spoon", "Quietwater", "Rowan's Own", "Saltmarsh",
    "Thrive Théorie", "Umbra Herbals", "Verdant Source", "Wild Sorrel", "Zephyr Formulas",
)
# fmt: on
ALLERGENS = ("Dairy free", "Egg free", "Gluten free", "Peanut free", "Shellfish free", "Soy free", "Tree nut free")
SUPPLEMENT_TYPES = ("Amino acids", "Herbals", "Minerals", "Multivitamins", "Omegas", "Probiotics", "Vitamins")
CERTIFICATIONS = ("Certified Halal", "Certified Kosher", "Certified Organic", "Certified Vegan", "Non-GMO verified")


class Formula(NamedTuple):
    """A product any brand may make: its topic (a category, or "" for none), unit, pack sizes and first price."""

    name: str
    topic: str
    unit: str
    packs: tuple[int, int]
    price: float
    ingredient: str


FORMULAS = (
    Formula("Magnesium Bisglycinate 200 mg", "Sleep", "capsule", (60, 120), 21.5, "Magnesium"),
    Formula("Magnesium Citrate Powder", "Sleep", "g", (150, 300), 24.0, "Magnesium"),
    Formula("Melatonin 3 mg", "Sleep", "tablet", (60, 120), 12.9, "Melatonin"),
    Formula("Valerian Calm", "Sleep", "capsule", (30, 60), 16.4, "Valerian"),
    Formula("L-Theanine 200 mg", "Stress and mood", "capsule", (30, 60), 22.1, "L-Theanine"),
    Formula("Ashwagandha Extract", "Stress and mood", "capsule", (60, 120), 26.8, "Ashwagandha"),
    Formula("Rhodiola 400", "Stress and mood", "capsule", (30, 60), 25.2, "Rhodiola"),
    Formula("Saffron Balance", "Stress and mood", "capsule", (30, 60), 33.0, "Saffron"),
    Formula("5-HTP 100 mg", "Stress and mood", "capsule", (60, 90), 23.7, "5-HTP"),
    Formula("Daily Probiotic 25 Billion", "Digestive health", "capsule", (30, 60), 31.0, "Lactobacillus"),
    Formula("Spore Probiotic", "Digestive health", "capsule", (30, 60), 37.5, "Bacillus coagulans"),
    Formula("Digestive Enzymes", "Digestive health", "capsule", (90, 180), 28.3, "Protease"),
    Formula("L-Glutamine Powder", "Digestive health", "g", (200, 400), 27.7, "L-Glutamine"),
    Formula("Slippery Elm", "Digestive health", "capsule", (60, 100), 14.2, "Slippery elm"),
    Formula("Ginger Drops", "Digestive health", "mL", (30, 60), 15.8, "Ginger"),
    Formula("Vitamin D3 1,000 IU", "Bone health", "softgel", (90, 180), 13.5, "Vitamin D"),
    Formula("Vitamin D3 + K2 Liquid", "Bone health", "mL", (15, 30), 24.6, "Vitamin D"),
    Formula("Calcium Citrate", "Bone health", "tablet", (90, 180), 18.0, "Calcium"),
    Formula("Bone Support Complex", "Bone health", "tablet", (90, 180), 34.4, "Calcium"),
    Formula("Fish Oil EPA/DHA", "Heart health", "softgel", (60, 120), 29.9, "Fish oil"),
    Formula("Fish Oil Liquid Lemon", "Heart health", "mL", (200, 500), 38.0, "Fish oil"),
    Formula("CoQ10 100 mg", "Heart health", "softgel", (30, 60), 35.2, "Coenzyme Q10"),
    Formula("Red Yeast Rice", "Heart health", "capsule", (60, 120), 27.1, "Red yeast rice"),
    Formula("Berberine 500 mg", "Blood sugar", "capsule", (60, 120), 30.6, "Berberine"),
    Formula("Chromium Picolinate", "Blood sugar", "capsule", (60, 100), 12.2, "Chromium"),
    Formula("Alpha Lipoic Acid 300 mg", "Blood sugar", "capsule", (60, 120), 28.8, "Alpha lipoic acid"),
    Formula("Turmeric Curcumin", "Joint health", "capsule", (60, 120), 32.3, "Curcumin"),
    Formula("Collagen Peptides", "Joint health", "g", (280, 560), 39.0, "Collagen"),
    Formula("Glucosamine Sulfate", "Joint health", "capsule", (90, 180), 26.0, "Glucosamine"),
    Formula("Boswellia 500", "Joint health", "capsule", (60, 120), 27.9, "Boswellia"),
    Formula("Iron Bisglycinate 25 mg", "Energy", "capsule", (60, 120), 15.3, "Iron"),
    Formula("Methyl B12 Lozenges", "Energy", "lozenge", (60, 120), 18.9, "Vitamin B12"),
    Formula("Active B-Complex", "Energy", "capsule", (60, 120), 23.4, "Vitamin B6"),
    Formula("L-Carnitine 500 mg", "Energy", "capsule", (60, 120), 29.5, "L-Carnitine"),
    Formula("Vitamin C 1,000 mg", "Immune support", "tablet", (90, 180), 17.6, "Vitamin C"),
    Formula("Zinc Picolinate 30 mg", "Immune support", "capsule", (60, 120), 11.9, "Zinc"),
    Formula("Elderberry Syrup", "Immune support", "mL", (120, 240), 19.9, "Elderberry"),
    Formula("Echinacea Tincture", "Immune support", "mL", (50, 100), 18.4, "Echinacea"),
    Formula("Quercetin 500 mg", "Immune support", "capsule", (60, 120), 28.0, "Quercetin"),
    Formula("Prenatal Multi", "Women's health", "tablet", (90, 180), 33.8, "Folate"),
    Formula("Myo-Inositol Powder", "Women's health", "g", (144, 300), 31.7, "Inositol"),
    Formula("Evening Primrose Oil", "Women's health", "softgel", (60, 120), 19.2, "Evening primrose"),
    Formula("Pea Protein Vanilla", "", "g", (500, 900), 42.0, "Pea protein"),
    Formula("Greens Powder", "", "g", (240, 480), 45.5, "Spirulina"),
)


class Dose(NamedTuple):
    """A dosage as a practitioner writes it; `per_day` is what this world's patient then takes (None: nobody knows)."""

    weight: float
    amount: str | None
    frequency: str | None
    duration: str | None
    per_day: float | None


PIECE_DOSES = (
    Dose(26, "1", "once per day", None, 1),
    Dose(20, "2", "once per day", "ongoing", 2),
    Dose(14, "1", "twice per day", None, 2),
    Dose(8, "2", "twice per day", None, 4),
    Dose(4, "1", "three times per day", "ongoing", 3),
    Dose(4, "1", "once per day", "30 days", 1),
    Dose(3, "2", "once per day", "2 months", 2),
    Dose(2, "1", "every other day", None, 0.5),
    Dose(2, "1", "once per week", None, 1 / 7),
    Dose(2, "1/2", "once per day", None, 0.5),
    Dose(5, "1-2", "once per day", None, 1.5),
    Dose(3, "1-2", "twice per day", "as needed", 3),
    Dose(4, "1", "as needed", None, None),
    Dose(3, None, None, None, None),
    Dose(2, "", "", "", None),
    Dose(2, "Use as directed", "see notes", None, None),
    Dose(1, "Up to 3", "once per day", "at the first sign of a cold", None),
)
LIQUID_DOSES = (
    Dose(14, "5", "once per day", None, 5),
    Dose(8, "5", "twice per day", "ongoing", 10),
    Dose(4, "2.5", "once per day", None, 2.5),
    Dose(2, "5-10", "once per day", None, 7.5),
    Dose(2, "a splash", "with meals", None, None),
    Dose(1, "5", "as needed", None, None),
)
TAKE_WITH = ("food", "water", "", None)
NOTES = ("with food", "away from other medication", "", "", None, None)
TIMES_OF_DAY: tuple[list[str], ...] = (["morning"], ["evening"], ["morning", "evening"], [])
MESSAGES = ("", "", "Start slowly and call us with questions.", "See you at the follow-up visit!")
ADJECTIVES = ("gentle", "well-studied", "third-party tested", "easy to swallow", "vegetarian", "concentrated")


class LabPanel(NamedTuple):
    """A lab a practitioner may recommend."""

    name: str
    fasting: bool
    tests: tuple[str, ...]


LAB_PANELS = (
    LabPanel("Basic Metabolic Panel", True, ("Basic Metabolic Panel",)),
    LabPanel("Thyroid Panel", False, ("TSH", "Free T4", "Free T3")),
    LabPanel("Vitamin D, 25-Hydroxy", False, ("Vitamin D, 25-Hydroxy",)),
    LabPanel("Lipids and Iron", True, ("Lipid Panel", "Ferritin")),
)


class ClinicWords(NamedTuple):
    """What a clinic is called and where it is."""

    slug: str
    name: str
    server: str
    zone: str


CLINICS = (
    ClinicWords("maple-street", "Maple Street Wellness", "us-snd", "America/New_York"),
    ClinicWords("harbor-point", "Harbor Point Integrative Health", "us-snd", "America/Los_Angeles"),
    ClinicWords("cedre-rouge", "Clinique du Cèdre Rouge", "ca-snd", "America/Toronto"),
)
REGIONS = {"us-snd": "us", "ca-snd": "ca"}
PROTOCOLS = ("Better sleep", "Cold and flu support", "Gut repair", "Healthy ageing", "Iron repletion", "New parents")
STREETS = ("Alder Street", "Birch Lane", "Rue des Érables", "O'Connell Avenue", "Mill Road", "Lakeshore Drive")
TOWNS = {
    "us": (("Fairhaven", "ME"), ("San Lorenzo", "CA"), ("Milford", "OH")),
    "ca": (("Saint-Éloi", "QC"), ("Kingsmere", "ON"), ("Port Ellis", "NS")),
}


class ResourceWords(NamedTuple):
    """A document for patients, in the documented words for its type and category."""

    name: str
    type: str
    category: str


RESOURCES = (
    ResourceWords("Sleep hygiene", "Handout", "Lifestyle"),
    ResourceWords("Reading a supplement label", "Guide", "Supplements"),
    ResourceWords("Seven days without dairy", "Meal plan", "Nutrition"),
    ResourceWords("Gentle strength", "Workbook", "Physical activity"),
    ResourceWords("Blood sugar at a glance", "Infographic", "Health conditions"),
)
