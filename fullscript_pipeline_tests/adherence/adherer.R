# The figures of the R package AdhereR for adherer_events.csv; makes adherer_measures.csv. Not needed to run the tests.
# Rscript adherer.R
suppressMessages(library(AdhereR))
events <- read.csv("adherer_events.csv", stringsAsFactors = FALSE)
events$class <- "supplement"
measured <- function(cma, world, name) {
  part <- events[events$world == world, ]
  found <- cma(part, ID.colname = "patient", event.date.colname = "filled_on", event.duration.colname = "days",
    event.daily.dose.colname = "dose", medication.class.colname = "class", carry.only.for.same.medication = FALSE,
    consider.dosage.change = TRUE, followup.window.start = as.Date("2024-01-01"), followup.window.duration = 730,
    observation.window.start = 180, observation.window.duration = 365, date.format = "%Y-%m-%d")
  cma <- getCMA(found)
  names(cma)[names(cma) == "CMA"] <- "value"
  data.frame(world = world, patient = cma$patient, measure = name, value = cma$value)
}
plain <- function(cma, world, name) {
  part <- events[events$world == world, ]
  found <- cma(part, ID.colname = "patient", event.date.colname = "filled_on", event.duration.colname = "days",
    followup.window.start = as.Date("2024-01-01"), followup.window.duration = 730, observation.window.start = 180,
    observation.window.duration = 365, date.format = "%Y-%m-%d")
  cma <- getCMA(found)
  data.frame(world = world, patient = cma$patient, measure = name, value = cma$CMA)
}
rows <- list()
for (world in c("one dose", "doses", "doses before")) {
  rows <- c(rows, list(measured(CMA7, world, "pdc_min"), measured(CMA6, world, "pdc_since_first_order"),
    measured(CMA5, world, "cma5"), plain(CMA1, world, "cma1"), plain(CMA2, world, "cma2")))
}
found <- do.call(rbind, rows)
found$value <- ifelse(is.na(found$value), "", trimws(format(found$value, digits = 15)))
write.csv(found, "adherer_measures.csv", row.names = FALSE, quote = FALSE)
cat("AdhereR", as.character(packageVersion("AdhereR")), R.version.string, "\n")
