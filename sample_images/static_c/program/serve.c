/* GET /ping and POST /invocations over HTTP/1.1, a thread for each connection. */

#include "model.h"

#include <arpa/inet.h>
#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_HEAD = 64 << 10,
    MAX_BODY = 32 << 20, /* an endpoint lets 25 MB through */
    MAX_CONNECTIONS = 4096,
    IDLE_SECONDS = 75,
    GRACE_SECONDS = 20, /* of the 30 that the platform gives */
};

struct connection {
    int fd;
    bool busy; /* a request is under way */
    char buffer[MAX_HEAD];
    size_t start, end; /* what has been read and not been used */
};

struct request {
    char method[16], path[256];
    char type[128];
    bool close, chunked, expects, has_length;
    size_t length;
};

static struct model model;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gone = PTHREAD_COND_INITIALIZER;
static struct connection *open_ones[MAX_CONNECTIONS];
static int open_count;
static bool draining;

/* --- bytes --- */

static bool send_all(int fd, const char *data, size_t size) {
    while (size) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        data += sent;
        size -= (size_t)sent;
    }
    return true;
}

/* Read more behind what is there. False when the client has gone, is silent for too long, or the buffer is full. */
static bool fill(struct connection *connection) {
    if (connection->start) {
        memmove(connection->buffer, connection->buffer + connection->start, connection->end - connection->start);
        connection->end -= connection->start;
        connection->start = 0;
    }
    if (connection->end == sizeof connection->buffer)
        return false;
    ssize_t got;
    do
        got = recv(connection->fd, connection->buffer + connection->end,
                   sizeof connection->buffer - connection->end, 0);
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        return false;
    connection->end += (size_t)got;
    return true;
}

/* Take a line without its end; NULL if there is none. It is valid until the next call. */
static char *take_line(struct connection *connection) {
    for (;;) {
        char *from = connection->buffer + connection->start;
        char *end = memchr(from, '\n', connection->end - connection->start);
        if (end) {
            connection->start = (size_t)(end + 1 - connection->buffer);
            if (end > from && end[-1] == '\r')
                end--;
            *end = 0;
            return from;
        }
        if (!fill(connection))
            return NULL;
    }
}

static bool take(struct connection *connection, char *into, size_t size) {
    while (size) {
        size_t there = connection->end - connection->start;
        if (there == 0) {
            if (!fill(connection))
                return false;
            continue;
        }
        size_t part = there < size ? there : size;
        memcpy(into, connection->buffer + connection->start, part);
        connection->start += part;
        into += part;
        size -= part;
    }
    return true;
}

/* --- requests --- */

static bool reply(struct connection *connection, struct request *request, int status, const char *reason,
                  const char *type, const char *body, size_t size) {
    char head[512];
    pthread_mutex_lock(&lock);
    if (draining)
        request->close = true;
    pthread_mutex_unlock(&lock);
    int length = snprintf(head, sizeof head, "HTTP/1.1 %d %s\r\nContent-Length: %zu\r\n%s%s%s%s%s\r\n", status, reason,
                          size, size ? "Content-Type: " : "", size ? type : "", size ? "\r\n" : "",
                          status == 405 ? "Allow: GET, POST\r\n" : "", request->close ? "Connection: close\r\n" : "");
    return send_all(connection->fd, head, (size_t)length) && send_all(connection->fd, body, size);
}

static bool refuse(struct connection *connection, struct request *request, int status, const char *reason,
                   const char *text) {
    fprintf(stderr, "%s %s: %d %s", request->method, request->path, status, text);
    return reply(connection, request, status, reason, "text/plain; charset=utf-8", text, strlen(text));
}

/* A request that cannot be understood: nobody knows where the next one begins, so this is the last. */
static bool malformed(struct connection *connection, struct request *request, int status, const char *reason,
                      const char *text) {
    request->close = true;
    refuse(connection, request, status, reason, text);
    /* closing with unread bytes would reset the connection and could take the answer with it */
    shutdown(connection->fd, SHUT_WR);
    for (int i = 0; i < 2048; i++) {
        connection->start = connection->end = 0;
        struct pollfd waiting = {.fd = connection->fd, .events = POLLIN};
        if (poll(&waiting, 1, 500) <= 0 || !fill(connection))
            break;
    }
    return false;
}

static bool read_head(struct connection *connection, struct request *request) {
    char version[16], *line = take_line(connection);
    memset(request, 0, sizeof *request);
    if (line && !*line) /* an empty line before a request is allowed */
        line = take_line(connection);
    if (!line)
        return connection->end == sizeof connection->buffer
                   ? malformed(connection, request, 431, "Request Header Fields Too Large", "the request line is too long\n")
                   : false;
    if (sscanf(line, "%15[A-Z] %255[!-~] %15[!-~]", request->method, request->path, version) != 3 ||
        strncmp(version, "HTTP/1.", 7) != 0)
        return malformed(connection, request, 400, "Bad Request", "this is no HTTP/1.1 request\n");
    request->path[strcspn(request->path, "?")] = 0;
    request->close = strcmp(version, "HTTP/1.0") == 0;
    size_t bytes = 0;
    while ((line = take_line(connection)) && *line) {
        char *value = strchr(line, ':');
        if ((bytes += strlen(line)) > MAX_HEAD)
            return malformed(connection, request, 431, "Request Header Fields Too Large", "too many headers\n");
        if (!value)
            return malformed(connection, request, 400, "Bad Request", "a header has no colon\n");
        *value++ = 0;
        value += strspn(value, " \t");
        if (strcasecmp(line, "Content-Length") == 0) {
            char *end;
            errno = 0;
            unsigned long long length = strtoull(value, &end, 10);
            end += strspn(end, " \t");
            if (*value < '0' || *value > '9' || *end || errno ||
                (request->has_length && length != request->length))
                return malformed(connection, request, 400, "Bad Request", "Content-Length is no number\n");
            request->has_length = true;
            request->length = length;
        } else if (strcasecmp(line, "Transfer-Encoding") == 0) {
            if (strncasecmp(value, "chunked", 7) != 0)
                return malformed(connection, request, 501, "Not Implemented", "the only transfer encoding is chunked\n");
            request->chunked = true;
        } else if (strcasecmp(line, "Connection") == 0) {
            if (strcasestr(value, "close"))
                request->close = true;
            else if (strcasestr(value, "keep-alive"))
                request->close = false;
        } else if (strcasecmp(line, "Expect") == 0) {
            request->expects = strncasecmp(value, "100-continue", 12) == 0;
        } else if (strcasecmp(line, "Content-Type") == 0) {
            snprintf(request->type, sizeof request->type, "%s", value);
        } /* whatever else the platform adds is none of our business */
    }
    if (!line)
        return connection->end == sizeof connection->buffer
                   ? malformed(connection, request, 431, "Request Header Fields Too Large", "a header is too long\n")
                   : false;
    if (request->chunked && request->has_length)
        return malformed(connection, request, 400, "Bad Request", "both a length and chunks\n");
    return true;
}

/* Read the body into memory of its own, with a zero behind it. NULL if that cannot be: the connection is then over. */
static char *read_body(struct connection *connection, struct request *request) {
    static const char GO_ON[] = "HTTP/1.1 100 Continue\r\n\r\n";
    size_t size = request->length;
    if (size > MAX_BODY)
        return malformed(connection, request, 413, "Content Too Large", "a payload may have 32 MB\n"), NULL;
    if (request->expects && !send_all(connection->fd, GO_ON, sizeof GO_ON - 1))
        return NULL;
    char *body = malloc(size + 1);
    if (!body)
        return malformed(connection, request, 503, "Service Unavailable", "no memory for this payload\n"), NULL;
    if (!request->chunked) {
        if (!take(connection, body, size))
            return free(body), NULL;
        body[size] = 0;
        return body;
    }
    for (;;) {
        char *line = take_line(connection), *end;
        unsigned long long part = line ? strtoull(line, &end, 16) : 0;
        if (!line)
            return free(body), NULL;
        if (end == line || (*end && *end != ';' && *end != ' '))
            return free(body), malformed(connection, request, 400, "Bad Request", "a chunk has no size\n"), NULL;
        if (part == 0)
            break;
        char *larger = size + part > MAX_BODY ? NULL : realloc(body, size + part + 1);
        if (!larger)
            return free(body), malformed(connection, request, 413, "Content Too Large", "a payload may have 32 MB\n"), NULL;
        body = larger;
        if (!take(connection, body + size, part) || !take_line(connection))
            return free(body), NULL;
        size += part;
    }
    for (char *line; (line = take_line(connection)) && *line;)
        continue; /* trailers */
    body[size] = 0;
    request->length = size;
    return body;
}

static bool predict(struct connection *connection, struct request *request, const char *body) {
    double row[MAX_FEATURES];
    char text[160], *answer = NULL;
    size_t size = 0;
    size_t type = strcspn(request->type, "; \t");
    if (type != 8 || strncasecmp(request->type, "text/csv", 8) != 0)
        return refuse(connection, request, 415, "Unsupported Media Type", "the payload is to be text/csv\n");
    FILE *out = open_memstream(&answer, &size);
    if (!out)
        return refuse(connection, request, 503, "Service Unavailable", "no memory for the answer\n");
    const char *at = body, *last = body + request->length;
    int rows = 0;
    for (int number = 1; at < last; number++) {
        const char *end = memchr(at, '\n', (size_t)(last - at));
        const char *next = end ? end + 1 : last;
        if (!end)
            end = last;
        if (end > at && end[-1] == '\r')
            end--;
        if (end > at) {
            int count = parse_row(at, end, row);
            if (count != model.features) {
                fclose(out);
                free(answer);
                snprintf(text, sizeof text, "line %d: expected %d numbers with commas between them\n", number,
                         model.features);
                return refuse(connection, request, 400, "Bad Request", text);
            }
            fprintf(out, "%s\n", model.label[nearest(&model, row)]);
            rows++;
        }
        at = next;
    }
    fclose(out);
    bool sent = rows ? reply(connection, request, 200, "OK", "text/csv; charset=utf-8", answer, size)
                     : refuse(connection, request, 400, "Bad Request", "the payload has no rows\n");
    free(answer);
    return sent;
}

/* Answer one request. False when the connection is over. */
static bool answer(struct connection *connection) {
    struct request request;
    if (!read_head(connection, &request))
        return false;
    char *body = read_body(connection, &request);
    if (!body)
        return false;
    bool ping = strcmp(request.path, "/ping") == 0, invocations = strcmp(request.path, "/invocations") == 0;
    bool sent;
    if (ping && strcmp(request.method, "GET") == 0)
        sent = reply(connection, &request, 200, "OK", "", "", 0);
    else if (invocations && strcmp(request.method, "POST") == 0)
        sent = predict(connection, &request, body);
    else if (ping || invocations)
        sent = refuse(connection, &request, 405, "Method Not Allowed", "GET /ping and POST /invocations\n");
    else
        sent = refuse(connection, &request, 404, "Not Found", "GET /ping and POST /invocations\n");
    free(body);
    return sent && !request.close;
}

/* --- connections --- */

static void forget(struct connection *connection) {
    pthread_mutex_lock(&lock);
    for (int i = 0; i < open_count; i++)
        if (open_ones[i] == connection) {
            open_ones[i] = open_ones[--open_count];
            break;
        }
    close(connection->fd);
    pthread_cond_signal(&gone);
    pthread_mutex_unlock(&lock);
    free(connection);
}

static void *attend(void *argument) {
    struct connection *connection = argument;
    for (bool going_on = true; going_on;) {
        /* idle until the first byte: then it may be closed on us */
        while (connection->start == connection->end && (going_on = fill(connection)) && connection->end == 0)
            continue;
        if (!going_on)
            break;
        pthread_mutex_lock(&lock);
        connection->busy = true;
        pthread_mutex_unlock(&lock);
        going_on = answer(connection);
        pthread_mutex_lock(&lock);
        connection->busy = false;
        going_on = going_on && !draining;
        pthread_mutex_unlock(&lock);
    }
    forget(connection);
    return NULL;
}

static void welcome(int fd, const pthread_attr_t *attributes) {
    struct timeval idle = {.tv_sec = IDLE_SECONDS};
    int yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &idle, sizeof idle);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    struct connection *connection = malloc(sizeof *connection);
    if (connection) {
        *connection = (struct connection){.fd = fd};
        pthread_mutex_lock(&lock);
        bool room = open_count < MAX_CONNECTIONS;
        if (room)
            open_ones[open_count++] = connection;
        pthread_mutex_unlock(&lock);
        pthread_t thread;
        if (!room || pthread_create(&thread, attributes, attend, connection) != 0) {
            fputs("error: no room for another connection\n", stderr);
            forget(connection);
        }
        return;
    }
    close(fd);
}

/* Let requests under way finish, and close the connections on which none is. */
static int drain(void) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += GRACE_SECONDS;
    pthread_mutex_lock(&lock);
    draining = true;
    for (int i = 0; i < open_count; i++)
        if (!open_ones[i]->busy)
            shutdown(open_ones[i]->fd, SHUT_RD);
    while (open_count && pthread_cond_timedwait(&gone, &lock, &until) == 0)
        continue;
    printf("SIGTERM: stopped with %d requests under way\n", open_count);
    pthread_mutex_unlock(&lock);
    return 0;
}

int serve(void) {
    char why[512];
    if (!load_model(&model, why, sizeof why)) {
        fprintf(stderr, "error: no model: %s\n", why);
        return 1;
    }
    /* payloads are given back to the system at once, whatever sizes came before */
    mallopt(M_MMAP_THRESHOLD, 256 << 10);
    mallopt(M_ARENA_MAX, 2);

    /* PID 1 has no default for SIGTERM. It comes through a descriptor, so that no thread is interrupted. */
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    sigprocmask(SIG_BLOCK, &stop, NULL);
    int signals = signalfd(-1, &stop, SFD_CLOEXEC);

    const char *asked = getenv("SAGEMAKER_BIND_TO_PORT");
    int port = asked && *asked ? atoi(asked) : 8080;
    int yes = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 4096) != 0) {
        fprintf(stderr, "error: port %d: %s\n", port, strerror(errno));
        return 1;
    }
    printf("serving %d classes of %d features on port %d\n", model.classes, model.features, port);

    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 256 << 10);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    for (;;) {
        struct pollfd waiting[] = {{.fd = listener, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
        if (poll(waiting, 2, -1) < 0)
            continue;
        if (waiting[1].revents) {
            close(listener);
            return drain();
        }
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            welcome(fd, &attributes);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            usleep(10000); /* until others have gone */
    }
}
