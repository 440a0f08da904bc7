/* The model: the mean of each class. A row belongs to the class whose mean is nearest. */

#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stddef.h>

enum { MAX_CLASSES = 64, MAX_FEATURES = 256, MAX_LABEL = 64 };

struct model {
    int classes, features;
    char label[MAX_CLASSES][MAX_LABEL];
    double mean[MAX_CLASSES][MAX_FEATURES];
};

/* Where the platform mounts what was trained, and where it packs from. */
#define MODEL_FILE "/opt/ml/model/means.csv"

/* Read the numbers of one line, `end` excluded. Gives how many, or -1 if something there is no number. */
int parse_row(const char *line, const char *end, double *numbers);

int nearest(const struct model *model, const double *row);

/* Both give false with the reason in `why`. */
bool save_model(const struct model *model, char *why, size_t size);
bool load_model(struct model *model, char *why, size_t size);

int train(void);
int serve(void);

#endif
