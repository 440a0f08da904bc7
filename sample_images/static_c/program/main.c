/* One program for both roles: the platform gives the word `train` or `serve` as its argument. */

#include "model.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    /* Lines go out as they are written: stdout is a pipe, and what is in a buffer is lost at the end. */
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1 && strcmp(argv[1], "train") == 0)
        return train();
    if (argc > 1 && strcmp(argv[1], "serve") == 0)
        return serve();
    fprintf(stderr, "usage: %s train|serve\n", argv[0]);
    return 2;
}
