"""Recording is a journal (idea 6): what was granted the floor is written as it came, the film is made from it later."""
