"""Light virtual endpoints: they sign in, send a labelled picture and a tone of their own, ask for the floor."""
