"""The functions of the public API that concern one deployment; ``gnomon`` exports them."""
