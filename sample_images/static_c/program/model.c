#include "model.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int parse_row(const char *line, const char *end, double *numbers) {
    int count = 0;
    for (const char *at = line;; at++) {
        char *after;
        while (at < end && (*at == ' ' || *at == '\t'))
            at++;
        /* strtod itself would pass over the end of the line */
        if (count == MAX_FEATURES || at == end || *at == '\r' || *at == '\n')
            return -1;
        double number = strtod(at, &after);
        if (after == at || after > end || !isfinite(number)) /* nan and inf are words that it knows */
            return -1;
        numbers[count++] = number;
        for (at = after; at < end && (*at == ' ' || *at == '\t');)
            at++;
        if (at == end)
            return count;
        if (*at != ',')
            return -1;
    }
}

int nearest(const struct model *model, const double *row) {
    int best = 0;
    double least = INFINITY;
    for (int class = 0; class < model->classes; class++) {
        double distance = 0;
        for (int i = 0; i < model->features; i++) {
            double step = row[i] - model->mean[class][i];
            distance += step * step;
        }
        if (distance < least) {
            least = distance;
            best = class;
        }
    }
    return best;
}

bool save_model(const struct model *model, char *why, size_t size) {
    FILE *file = fopen(MODEL_FILE, "w");
    if (!file) {
        snprintf(why, size, "%s: %s", MODEL_FILE, strerror(errno));
        return false;
    }
    for (int class = 0; class < model->classes; class++) {
        fputs(model->label[class], file);
        for (int i = 0; i < model->features; i++)
            fprintf(file, ",%.17g", model->mean[class][i]);
        fputc('\n', file);
    }
    bool bad = ferror(file) != 0;
    if (fclose(file) != 0 || bad) {
        snprintf(why, size, "%s: %s", MODEL_FILE, strerror(errno));
        return false;
    }
    return true;
}

bool load_model(struct model *model, char *why, size_t size) {
    char line[1 << 15];
    FILE *file = fopen(MODEL_FILE, "r");
    if (!file) {
        snprintf(why, size, "%s: %s", MODEL_FILE, strerror(errno));
        return false;
    }
    memset(model, 0, sizeof *model);
    while (fgets(line, sizeof line, file)) {
        char *end = line + strcspn(line, "\r\n");
        char *comma = strchr(line, ',');
        int class = model->classes, count = -1;
        if (comma && class < MAX_CLASSES && comma - line < MAX_LABEL) {
            memcpy(model->label[class], line, (size_t)(comma - line));
            count = parse_row(comma + 1, end, model->mean[class]);
        }
        if (count < 1 || (class > 0 && count != model->features)) {
            snprintf(why, size, "%s: line %d is no mean of a class", MODEL_FILE, class + 1);
            fclose(file);
            return false;
        }
        model->features = count;
        model->classes++;
    }
    fclose(file);
    if (model->classes == 0) {
        snprintf(why, size, "%s: it is empty", MODEL_FILE);
        return false;
    }
    return true;
}
