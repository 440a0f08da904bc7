/* Fit the means of the classes in the CSV files of channel `training`: the label first, no header. */

#include "model.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHANNEL "/opt/ml/input/data/training"
#define HYPERPARAMETERS "/opt/ml/input/config/hyperparameters.json"
#define RESOURCES "/opt/ml/input/config/resourceconfig.json"
#define FAILURE "/opt/ml/output/failure"

static volatile sig_atomic_t stop_asked;

static void on_sigterm(int number) {
    (void)number;
    stop_asked = 1;
}

/* What is in this file becomes the job's FailureReason. */
__attribute__((format(printf, 1, 2))) static int fail(const char *format, ...) {
    char text[1024];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    fprintf(stderr, "error: %s\n", text);
    FILE *file = fopen(FAILURE, "w");
    if (file) {
        fputs(text, file);
        fclose(file);
    }
    return 1;
}

/* Read a JSON string that begins at `at` (a quote), escapes of one letter undone. Gives what follows it. */
static const char *json_string(const char *at, char *into, size_t size) {
    size_t length = 0;
    for (at++; *at && *at != '"'; at++) {
        if (*at == '\\' && at[1])
            at++;
        if (length + 1 < size)
            into[length++] = *at;
    }
    into[length] = 0;
    return *at ? at + 1 : at;
}

/* Find a string value by its key. Whatever else is in the document, keys that we do not know too, is passed over. */
static bool json_value(const char *document, const char *key, char *value, size_t size) {
    char name[256];
    const char *at = document;
    while ((at = strchr(at, '"'))) {
        at = json_string(at, name, sizeof name);
        const char *next = at + strspn(at, " \t\r\n");
        if (*next != ':' || strcmp(name, key) != 0)
            continue;
        next++;
        next += strspn(next, " \t\r\n");
        if (*next != '"')
            return false;
        json_string(next, value, size);
        return true;
    }
    return false;
}

static char *whole_file(const char *path) {
    FILE *file = fopen(path, "r");
    if (!file)
        return NULL;
    char *text = NULL;
    size_t size = 0;
    ssize_t length = getdelim(&text, &size, 0, file);
    fclose(file);
    if (length < 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* Every hyperparameter is a string, and the SageMaker SDK puts quotes into it: 5 may come as "5" with its quotes. */
static double hyperparameter(const char *document, const char *name, double otherwise) {
    char value[128];
    if (!document || !json_value(document, name, value, sizeof value))
        return otherwise;
    const char *digits = value + (*value == '"');
    char *end;
    double number = strtod(digits, &end);
    return end == digits ? otherwise : number;
}

/* Of several hosts the first one writes the model: they all see the same data, and names must not clash. */
static bool writes_model(void) {
    char *document = whole_file(RESOURCES);
    char current[128];
    bool first = !document || !json_value(document, "current_host", current, sizeof current) ||
                 strcmp(current, "algo-1") == 0;
    free(document);
    return first;
}

struct sums {
    struct model model;
    long rows[MAX_CLASSES];
};

static int class_of(struct model *model, const char *label, size_t length) {
    for (int class = 0; class < model->classes; class++)
        if (strlen(model->label[class]) == length && memcmp(model->label[class], label, length) == 0)
            return class;
    if (model->classes == MAX_CLASSES || length >= MAX_LABEL)
        return -1;
    memcpy(model->label[model->classes], label, length);
    return model->classes++;
}

/* Go through one file, adding to the sums, or counting the rows that the model gets right. */
static int read_file(const char *path, struct sums *sums, const struct model *judge, long *right, char *why,
                     size_t size) {
    char line[1 << 15];
    double row[MAX_FEATURES];
    FILE *file = fopen(path, "r");
    if (!file) {
        snprintf(why, size, "%s: %s", path, strerror(errno));
        return -1;
    }
    for (int number = 1; fgets(line, sizeof line, file); number++) {
        char *end = line + strcspn(line, "\r\n");
        if (end == line)
            continue;
        char *comma = memchr(line, ',', (size_t)(end - line));
        int count = comma ? parse_row(comma + 1, end, row) : -1;
        int class = comma ? class_of(&sums->model, line, (size_t)(comma - line)) : -1;
        if (count < 1 || class < 0 || (sums->model.features && count != sums->model.features)) {
            snprintf(why, size, "%s: line %d is no label with numbers, as many as in the lines before", path, number);
            fclose(file);
            return -1;
        }
        sums->model.features = count;
        sums->rows[class]++;
        if (judge)
            *right += nearest(judge, row) == class;
        else
            for (int i = 0; i < count; i++)
                sums->model.mean[class][i] += row[i];
    }
    fclose(file);
    return 0;
}

static int read_channel(struct sums *sums, const struct model *judge, long *right, char *why, size_t size) {
    DIR *folder = opendir(CHANNEL);
    if (!folder) {
        snprintf(why, size, "channel `training`: %s: %s", CHANNEL, strerror(errno));
        return -1;
    }
    struct dirent *entry;
    int result = 0;
    while (result == 0 && (entry = readdir(folder))) {
        char path[1024];
        size_t length = strlen(entry->d_name);
        if (length < 5 || strcmp(entry->d_name + length - 4, ".csv") != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", CHANNEL, entry->d_name);
        result = read_file(path, sums, judge, right, why, size);
    }
    closedir(folder);
    return result;
}

int train(void) {
    static struct sums sums, counted;
    char why[512] = "";
    /* PID 1 has no default for SIGTERM: without this it would be ignored, and SIGKILL would follow after 120 s. */
    struct sigaction action = {.sa_handler = on_sigterm};
    sigaction(SIGTERM, &action, NULL);

    char *document = whole_file(HYPERPARAMETERS);
    int rounds = (int)hyperparameter(document, "rounds", 3);
    double pause = hyperparameter(document, "seconds_per_round", 0.05);
    free(document);

    if (read_channel(&sums, NULL, NULL, why, sizeof why) != 0)
        return fail("%s", why);
    struct model *model = &sums.model;
    long rows = 0;
    for (int class = 0; class < model->classes; class++) {
        rows += sums.rows[class];
        for (int i = 0; i < model->features; i++)
            model->mean[class][i] /= (double)sums.rows[class];
    }
    if (rows == 0)
        return fail("channel `training` holds no rows: %s", CHANNEL);
    printf("training on %ld rows, %d classes, %d features\n", rows, model->classes, model->features);

    /* The means are found already; the rounds stand for work that takes its time and can be stopped. */
    for (int round = 1; round <= rounds && !stop_asked; round++) {
        long right = 0;
        memcpy(&counted, &sums, sizeof counted);
        if (read_channel(&counted, model, &right, why, sizeof why) != 0)
            return fail("%s", why);
        printf("round=%d train_accuracy=%.4f;\n", round, (double)right / (double)rows);
        struct timespec rest = {.tv_sec = (time_t)pause, .tv_nsec = (long)((pause - (double)(time_t)pause) * 1e9)};
        nanosleep(&rest, NULL); /* a signal ends it early */
    }

    /* Saved in every case: the platform packs what lies here after a stop, too. */
    if (writes_model() && !save_model(model, why, sizeof why))
        return fail("%s", why);
    puts(stop_asked ? "stopped early, model saved" : "training complete");
    return 0;
}
