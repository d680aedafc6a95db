"""Reading a site: YAML to the compiled model, with places for every problem."""
