"""How many fits are tried, averaged, judged and drawn in the tests, where a user has more.

Read by path: by the conftest, and by scripts that tests start in processes of their own.
"""

#: As (place, what it is in the tests): splits that structures are tried on, folds (of few rows
#: twice as many, for a user), components of mixtures, steps to the directions of a layer,
#: members of an average, layers without a gain that finish a flow, pulls of covariances to their
#: diagonal, factors, starts of a mixture, refits and folds of outlier scores, folds that choose
#: how rows are completed, rows, samples and draws by which the density of missing cells is
#: judged, draws, rows, steps and trees of predictions, samples that conditional draws are
#: learned from, batches that moments of a generator are learned from, trees and folds that tell
#: samples from rows, pictures and rows of a page, the samples that such trees see, trees and
#: steps that learn the ratio of their densities, the rows of a step, and samples that constants
#: of methods are taken from.
FITS = (
    ("pushforward.models.sliced.selection._SPLITS", 1),
    ("pushforward.models.sliced.selection._FOLDS", 2),
    ("pushforward.models.sliced.selection._FEW", 0),
    ("pushforward.models.sliced.structure_search._MOST_COMPONENTS", 4),
    ("pushforward.models.sliced.auto._STEPS", 8),
    ("pushforward.models.sliced.stacking._FITS", 1),
    ("pushforward.models.sliced.stacking._FITS_OF_MANY", 1),
    ("pushforward.models.sliced.structure._PATIENCE", 4),
    ("pushforward.models.sliced.structure_search._PATIENCE", 3),
    ("pushforward.models.sliced.structure_search._PULLS", (0.1, 0.5)),
    ("pushforward.models.sliced.structure_search._FACTORS", (1, 6)),
    ("pushforward.transport.mixture._RESTARTS", 1),
    ("pushforward.transport.novelty_score._REFITS", 2),
    ("pushforward.transport.novelty_score._FOLDS", 3),
    ("pushforward.transport.novelty_score._MOST_COMPONENTS", 4),
    ("pushforward.transport.table_mixture._COMPONENTS", 8),
    ("pushforward.transport.trimmed_density._FOLDS", 3),
    ("pushforward.transport.trimmed_density._FOLDS_OF_FEW", 5),
    ("pushforward.transport.table_mixture._FOLDS", 1),
    ("pushforward.estimators.missing_cells._LEAST_SCORED", 20),
    ("pushforward.estimators.missing_cells._MOST_SCORED", 40),
    ("pushforward.estimators.missing_cells._COMPARED", 500),
    ("pushforward.estimators.missing_cells._DRAWS", 100),
    ("pushforward.models.prediction.completed_rows._DRAWS", 20),
    ("pushforward.models.prediction.location_scale._BACKGROUND", 60),
    ("pushforward.models.prediction.regressions._STEPS", 25),
    ("pushforward.models.prediction.shapley._ORDERS", 16),
    ("pushforward.models.prediction.stacked_regression._TREES", 40),
    ("pushforward.models.prediction.stacked_regression._BOOSTED", 120),
    ("pushforward.estimators.conditionals._SAMPLES", 500),
    ("pushforward.transport.conditioning.SAMPLES", 2500),
    ("pushforward.estimators.generator_model._REFRESH_BATCHES", 3),
    ("pushforward.metrics.two_sample._TREES", 25),
    ("pushforward.metrics.two_sample._FOLDS", 3),
    ("pushforward.refinement.acceptance_test._FOLDS", 3),
    ("pushforward.report.table_sections.PAIRS", 2),
    ("pushforward.report.table_sections.SINGLES", 2),
    ("pushforward.report.table_sections.UNLIKELY", 3),
    ("pushforward.report.difference_sections.PAIRS", 1),
    ("pushforward.report.difference_sections.ROWS", 4),
    ("pushforward.report.figures.PAIRS", 2),
    ("pushforward.report.figures.SINGLES", 3),
    ("pushforward.report.figures.UNLIKELY", 2),
    ("pushforward.refinement.acceptance_test._SAMPLES", 1000),
    ("pushforward.refinement.density_ratio._POOLED", 2000),
    ("pushforward.refinement.ratio_trees._TREES", 50),
    ("pushforward.refinement.density_ratio._BATCH", 256),
    ("pushforward.refinement.methods.base._POOL", 2000),
    ("pushforward.refinement.density_ratio._STEPS", 400),
    ("pushforward.refinement.density_ratio._STEPS_THAT_WEIGH", 400),
)
