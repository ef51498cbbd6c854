/* A library without functions of its own: see faults.c. */
