"""Networks as plain torch modules, one a file; `registry` has their settings and needs no torch to be imported."""
