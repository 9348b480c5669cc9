"""Special forms: they take their arguments unevaluated and make no job."""
