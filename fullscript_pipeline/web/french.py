"""The portal's sentences in French, by the English ones.

What does not belong here: choosing a language (`language`).
"""

FRENCH = {
    # Signing in
    "Sign in": "Se connecter",
    "Your clinic's Fullscript pages": "Les pages Fullscript de votre clinique",
    "Sign in with your own Fullscript account. You see the patients that Fullscript shows you.": (
        "Connectez-vous avec votre propre compte Fullscript. Vous voyez les patients que Fullscript vous montre."
    ),
    "Sign in with Fullscript": "Se connecter avec Fullscript",
    "United States": "États-Unis",
    "Canada": "Canada",
    "United States (sandbox)": "États-Unis (bac à sable)",
    "Canada (sandbox)": "Canada (bac à sable)",
    "This sign-in was not started in this browser, was used already, or is older than ten minutes.": (
        "Cette connexion n’a pas commencé dans ce navigateur, a déjà servi, ou date de plus de dix minutes."
    ),
    "You did not allow the access, so nobody was signed in.": (
        "Vous n’avez pas autorisé l’accès : personne n’a été connecté."
    ),
    "Fullscript did not complete the sign-in. Try again; if it stays, tell whoever runs this portal.": (
        "Fullscript n’a pas terminé la connexion. Réessayez ; si cela persiste, prévenez le responsable de ce portail."
    ),
    "There are no pages of your clinic here. Ask whoever runs this portal to connect your clinic; after the next run "
    "you can sign in.": (
        "Il n’y a pas de pages de votre clinique ici. Demandez au responsable de ce portail de relier votre clinique ; "
        "vous pourrez vous connecter après le prochain passage."
    ),
    "This invitation is not valid any more. Ask whoever sent it for a new one.": (
        "Cette invitation n’est plus valable. Demandez-en une nouvelle à la personne qui l’a envoyée."
    ),
    "This invitation was used already. Ask for a new one.": "Cette invitation a déjà servi. Demandez-en une nouvelle.",
    "You are not signed in any more. Sign in again.": "Vous n’êtes plus connecté. Connectez-vous de nouveau.",
    "There is nothing here for you.": "Il n’y a rien ici pour vous.",
    "The portal cannot answer now. Try again in a minute.": (
        "Le portail ne peut pas répondre maintenant. Réessayez dans une minute."
    ),
    "Portal": "Portail",
    "Go to the portal": "Aller au portail",
    "Language": "Langue",
    "Sign out": "Se déconnecter",
    "Sign out everywhere": "Se déconnecter partout",
    # The list of patients
    "Skip to the page's content": "Aller au contenu de la page",
    "Data as of {day}. Based on Fullscript orders only: buying does not show taking.": (
        "Données du {day}. D’après les commandes Fullscript seulement : acheter ne montre pas la prise."
    ),
    "Search name, birth date or record number": "Chercher un nom, une date de naissance ou un numéro de dossier",
    "Practitioner": "Praticien",
    "all": "tous",
    "Show": "Afficher",
    "whom to contact": "qui contacter",
    "who is set aside": "qui est mis de côté",
    "everybody": "tout le monde",
    "Search": "Chercher",
    "{count} patient": "{count} patient",
    "{count} patients": "{count} patients",
    " to contact, who waits longest first": " à contacter, la plus longue attente d’abord",
    ", page {number} of {pages}": ", page {number} de {pages}",
    "Patient": "Patient",
    "Why": "Pourquoi",
    "Next step": "Prochaine étape",
    "Contact": "Contact",
    "born {day}": "né(e) le {day}",
    "archived": "archivé",
    "Set aside until {day}": "Mis de côté jusqu’au {day}",
    "and {count} more": "et {count} de plus",
    "called {day}": "appelé le {day}",
    "Page before": "Page précédente",
    "Next page": "Page suivante",
    "Pages of the last run": "Pages du dernier passage",
    "Call list to print": "Liste d’appels à imprimer",
    "Everybody from A to Z": "Tout le monde de A à Z",
    "What the catalog means for these patients": "Ce que le catalogue change pour ces patients",
    "Catalog changes": "Changements du catalogue",
    "Call list for Excel": "Liste d’appels pour Excel",
    "Born {day}.": "Né(e) le {day}.",
    "Nothing is recommended to this patient, so there is no page of supply.": (
        "Rien n’est recommandé à ce patient : il n’y a pas de page de provisions."
    ),
    # Into Fullscript
    "Open this plan in Fullscript": "Ouvrir ce plan dans Fullscript",
    "Open the newest plan in Fullscript": "Ouvrir le plan le plus récent dans Fullscript",
    "New plan in Fullscript": "Nouveau plan dans Fullscript",
    "New plan for this patient": "Nouveau plan pour ce patient",
    "Fullscript beside this patient": "Fullscript à côté de ce patient",
    "Order link for the patient": "Lien de commande pour le patient",
    "Fullscript does not let you do this from here. Do it in Fullscript itself.": (
        "Fullscript ne vous permet pas de le faire d’ici. Faites-le dans Fullscript."
    ),
    "Fullscript has no such plan any more: it was cancelled or removed since the last run.": (
        "Fullscript n’a plus ce plan : il a été annulé ou retiré depuis le dernier passage."
    ),
    "Fullscript does not accept the request. Do it in Fullscript itself.": (
        "Fullscript n’accepte pas la demande. Faites-le dans Fullscript."
    ),
    "Fullscript did not answer as it should. Try again in a minute.": (
        "Fullscript n’a pas répondu comme il le devrait. Réessayez dans une minute."
    ),
    "Order link": "Lien de commande",
    "Whoever has this link can order as this patient: send it to them only. It is shown once, and kept nowhere here.": (
        "Qui a ce lien peut commander au nom de ce patient : ne l’envoyez qu’à lui. Il n’est montré qu’une fois, et "
        "n’est gardé nulle part ici."
    ),
    "Link": "Lien",
    "Copy": "Copier",
    "The patient's page": "La page du patient",
    "New plan": "Nouveau plan",
    "Fullscript has made the draft.": "Fullscript a créé le brouillon.",
    "Open the draft in Fullscript": "Ouvrir le brouillon dans Fullscript",
    "This makes a draft plan of this patient in Fullscript. If Fullscript does not find the patient, it may create a "
    "patient record there and send a mail.": (
        "Ceci crée un brouillon de plan pour ce patient dans Fullscript. Si Fullscript ne trouve pas le patient, il "
        "peut y créer un dossier et envoyer un courriel."
    ),
    "Make a draft plan": "Créer un brouillon",
    "This window is narrower than 768 pixels: Fullscript needs more room. Turn the device or widen the window.": (
        "Cette fenêtre fait moins de 768 pixels de large : Fullscript a besoin de plus de place. Tournez l’appareil ou "
        "élargissez la fenêtre."
    ),
    "Open Fullscript here": "Ouvrir Fullscript ici",
    "This needs JavaScript. The patient's page links to Fullscript without it.": (
        "Ceci exige JavaScript. La page du patient mène à Fullscript sans lui."
    ),
    "Changed in Fullscript: this patient is being read again.": (
        "Modifié dans Fullscript : ce patient est en cours de relecture."
    ),
    "Fullscript cannot be opened here now. The patient's page links to it.": (
        "Fullscript ne peut pas être ouvert ici maintenant. La page du patient y mène."
    ),
    "Copied.": "Copié.",
    # Notes
    "Notes of the clinic": "Notes de la clinique",
    "Kept in this portal only, never sent to Fullscript.": (
        "Gardées dans ce portail seulement, jamais envoyées à Fullscript."
    ),
    "Off the call list until {day}.": "Hors de la liste d’appels jusqu’au {day}.",
    "What happened": "Ce qui s’est passé",
    "Called": "Appelé",
    "Set aside until": "Mettre de côté jusqu’au",
    "Set aside": "Mis de côté",
    "Back on the list": "De retour sur la liste",
    "Note": "Note",
    "Text": "Texte",
    "Save": "Enregistrer",
    "until {day}": "jusqu’au {day}",
    "Nothing noted yet.": "Rien de noté encore.",
    "Go back to the page.": "Revenez à la page.",
    "Choose what to note.": "Choisissez quoi noter.",
    "Choose a day after today until which the patient is set aside.": (
        "Choisissez un jour après aujourd’hui jusqu’auquel le patient est mis de côté."
    ),
    "The note is empty.": "La note est vide.",
    "The note is longer than {count} characters.": "La note dépasse {count} caractères.",
    # Reading again
    "Newest data": "Données les plus récentes",
    "Read again from Fullscript on request: {time}.": "Relu de Fullscript sur demande : {time}.",
    "This patient is being read now": "Ce patient est en cours de lecture",
    "Read again now": "Relire maintenant",
    "Look again": "Regarder de nouveau",
    "You have asked very often. Wait a few minutes.": "Vous avez demandé très souvent. Attendez quelques minutes.",
    "The pipeline has not taken the request yet. If this stays, tell whoever runs this portal.": (
        "La demande n’a pas encore été prise. Si cela persiste, prévenez le responsable de ce portail."
    ),
    "The pipeline takes the request in a few seconds.": "La demande sera prise dans quelques secondes.",
    "Fullscript is being read.": "Fullscript est en cours de lecture.",
    "The run waits for another one of the clinic, or for its turn.": "La lecture attend son tour.",
    "The run failed: whoever runs the pipeline finds the reason there.": (
        "La lecture a échoué : le responsable en trouve la raison."
    ),
    "The pipeline did not start the run: try again.": "La lecture n’a pas commencé : réessayez.",
    "The pipeline did not take the request within ten minutes.": "La demande n’a pas été prise en dix minutes.",
    "The pipeline could not do it: whoever runs it finds the reason with `fullscript-pipeline doctor`.": (
        "Ce n’était pas possible : le responsable en trouve la raison avec `fullscript-pipeline doctor`."
    ),
    # Connecting
    "Connect your clinic": "Relier votre clinique",
    "Your clinic has no pages here yet. If you connect it, this clinic's patients, plans, orders and lab orders are "
    "read from Fullscript every day, and everybody whom Fullscript lets in sees their own patients here. Nothing is "
    "changed in Fullscript.": (
        "Votre clinique n’a pas encore de pages ici. Si vous la reliez, ses patients, plans, commandes et analyses "
        "sont lus de Fullscript chaque jour, et toute personne que Fullscript laisse entrer voit ici ses propres "
        "patients. Rien n’est changé dans Fullscript."
    ),
    "What is read is what you see: better let the owner of the clinic sign in and connect it.": (
        "Ce qui est lu est ce que vous voyez : il vaut mieux que le propriétaire de la clinique se connecte et la "
        "relie."
    ),
    "Connect the clinic": "Relier la clinique",
    "Connect the clinic nevertheless": "Relier la clinique quand même",
    "You are signed in as staff.": "Vous êtes connecté comme membre du personnel.",
    "How many patients of the clinic you see could not be read.": (
        "Le nombre de patients de la clinique que vous voyez n’a pas pu être lu."
    ),
    "You see {seen} of the clinic's {count} patients.": "Vous voyez {seen} des {count} patients de la clinique.",
    "The pipeline is connecting the clinic.": "La clinique est en train d’être reliée.",
    "The clinic is connected. Its first pull begins.": "La clinique est reliée. Sa première lecture commence.",
    "The first pull runs: {count} step done. A large clinic takes an hour or two.": (
        "La première lecture est en cours : {count} étape terminée. Une grande clinique prend une heure ou deux."
    ),
    "The first pull runs: {count} steps done. A large clinic takes an hour or two.": (
        "La première lecture est en cours : {count} étapes terminées. Une grande clinique prend une heure ou deux."
    ),
    "The clinic is read.": "La clinique est lue.",
    "Somebody of another clinic has approved the access: nothing was connected.": (
        "Une personne d’une autre clinique a approuvé l’accès : rien n’a été relié."
    ),
    # Operators
    "Catalog team and engineers:": "Équipe du catalogue et ingénieurs :",
    "sign in as an operator": "se connecter comme opérateur",
    "The provider did not sign you in.": "Le fournisseur d’identité ne vous a pas connecté.",
    "What the provider answered could not be verified, so nobody was signed in.": (
        "La réponse du fournisseur d’identité n’a pas pu être vérifiée : personne n’a été connecté."
    ),
    "The provider at which operators sign in does not answer. Try again; if it stays, tell whoever runs it.": (
        "Le fournisseur d’identité des opérateurs ne répond pas. Réessayez ; si cela persiste, "
        "prévenez son responsable."
    ),
    "Your account has no role that lets operators in here. Ask whoever runs the provider for it.": (
        "Votre compte n’a pas de rôle qui laisse entrer les opérateurs ici. Demandez-le au responsable du fournisseur "
        "d’identité."
    ),
    "Coverage and health": "Couverture et santé",
    "Catalog {region}": "Catalogue {region}",
    "The pipeline has not written this yet. It writes it every 15 minutes where FULLSCRIPT_WEB_OIDC_ISSUER is set for "
    "its daemon, too.": (
        "Ceci n’a pas encore été écrit. C’est écrit toutes les 15 minutes si FULLSCRIPT_WEB_OIDC_ISSUER est défini "
        "pour le démon aussi."
    ),
    "Written by the pipeline: {time}.": "Écrit par le pipeline : {time}.",
    "This is {count} hours old: see whether the daemon runs.": (
        "Ceci date de {count} heures : vérifiez que le démon tourne."
    ),
    "{count} hours ago": "il y a {count} h",
    "late": "en retard",
    "never": "jamais",
    "Clinics": "Cliniques",
    "Clinic": "Clinique",
    "Server": "Serveur",
    "Access": "Accès",
    "Last complete pull": "Dernière lecture complète",
    "connected": "reliée",
    "disconnected": "déliée",
    "needs to be connected again": "à relier de nouveau",
    "Catalogs": "Catalogues",
    "Region": "Région",
    "All products last read": "Dernière lecture de tous les produits",
    "Health": "Santé",
    "Failed: {failed}. Warnings: {warned}. Not checked: {skipped}. Passed: {passed}. In the words of the command "
    "doctor, which are English.": (
        "Échecs : {failed}. Avertissements : {warned}. Non vérifiés : {skipped}. Réussis : {passed}. Dans les mots de "
        "la commande doctor, qui sont anglais."
    ),
    "failed": "échec",
    "warning": "avertissement",
    "not checked": "non vérifié",
    "passed": "réussi",
}
