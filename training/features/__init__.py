"""Pictures into the feature file a run reads."""
