/* One publisher and one subscriber by Paho's C library (MQTTAsync, 3.1.1), and what they took: the counterpart of
 * LibraryBenchmark.swift. Benchmarks/library.py builds both, runs them in turns and compares.
 *
 *     paho PORT QOS MESSAGES INFLIGHT BYTES
 *
 * At most INFLIGHT messages have been given to the library and are not complete: at QoS 0 written, at 1 and 2
 * acknowledged. The program is told of each. */
#include <MQTTAsync.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { PATIENCE_S = 60, NUMBER_BYTES = 8 };

static sem_t room, step, all_arrived;
static long messages, arrived, late, failures;
static uint64_t next_number;
static double end_s, end_cpu_s;

static double clock_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double cpu_s(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec)
        + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* The most that was resident, in KiB: since exec, which getrusage's is not. */
static long peak_kb(void) {
    char line[256];
    long value = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "VmHWM: %ld", &value) == 1) break;
    if (status) fclose(status);
    return value;
}

static void await(sem_t *what, const char *name) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    while (sem_timedwait(what, &until) != 0) {
        fprintf(stderr, "paho: no %s within %d s; %ld of %ld arrived\n", name, PATIENCE_S, arrived, messages);
        exit(1);
    }
}

static void stepped(void *context, MQTTAsync_successData *data) { (void)context; (void)data; sem_post(&step); }

static void failed(void *context, MQTTAsync_failureData *data) {
    fprintf(stderr, "paho: %s failed: %d %s\n", (const char *)context, data ? data->code : 0,
            data && data->message ? data->message : "");
    exit(1);
}

static void published(void *context, MQTTAsync_successData *data) { (void)context; (void)data; sem_post(&room); }

static void not_published(void *context, MQTTAsync_failureData *data) {
    (void)context; (void)data;
    failures++;
    sem_post(&room);
}

static int came(void *context, char *topic, int length, MQTTAsync_message *message) {
    uint64_t number;
    (void)context; (void)length;
    memcpy(&number, message->payload, NUMBER_BYTES);
    if (number != next_number) late++;
    next_number = number + 1;
    if (++arrived == messages) {
        end_s = clock_s();
        end_cpu_s = cpu_s();
        sem_post(&all_arrived);
    }
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    return 1;
}

static MQTTAsync connected(const char *uri, const char *name, int inflight) {
    MQTTAsync client;
    MQTTAsync_createOptions creation = MQTTAsync_createOptions_initializer;
    creation.maxBufferedMessages = inflight + 1;
    if (MQTTAsync_createWithOptions(&client, uri, name, MQTTCLIENT_PERSISTENCE_NONE, NULL, &creation)) exit(1);
    if (MQTTAsync_setCallbacks(client, NULL, NULL, came, NULL)) exit(1);
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
    options.MQTTVersion = MQTTVERSION_3_1_1;
    options.cleansession = 1;
    options.maxInflight = inflight;
    options.onSuccess = stepped;
    options.onFailure = failed;
    options.context = "connect";
    if (MQTTAsync_connect(client, &options)) exit(1);
    await(&step, "connection");
    return client;
}

int main(int count, char **words) {
    if (count != 6) {
        fprintf(stderr, "usage: paho PORT QOS MESSAGES INFLIGHT BYTES\n");
        return 2;
    }
    int qos = atoi(words[2]), inflight = atoi(words[4]), bytes = atoi(words[5]);
    messages = atol(words[3]);
    if (bytes < NUMBER_BYTES || inflight < 1 || messages < 1 || qos < 0 || qos > 2) return 2;
    char uri[64];
    snprintf(uri, sizeof uri, "tcp://127.0.0.1:%s", words[1]);
    sem_init(&room, 0, (unsigned)inflight);
    sem_init(&step, 0, 0);
    sem_init(&all_arrived, 0, 0);

    MQTTAsync subscriber = connected(uri, "paho-subscriber", inflight);
    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
    response.onSuccess = stepped;
    response.onFailure = failed;
    response.context = "subscribe";
    if (MQTTAsync_subscribe(subscriber, "bench/library", qos, &response)) return 1;
    await(&step, "subscription");
    MQTTAsync publisher = connected(uri, "paho-publisher", inflight);

    char *payload = calloc(1, (size_t)bytes);
    MQTTAsync_responseOptions completion = MQTTAsync_responseOptions_initializer;
    double begin_s = clock_s(), begin_cpu_s = cpu_s();
    for (uint64_t number = 0; number < (uint64_t)messages; number++) {
        await(&room, "room");
        memcpy(payload, &number, NUMBER_BYTES);
        completion.onSuccess = published;
        completion.onFailure = not_published;
        int code = MQTTAsync_send(publisher, "bench/library", bytes, payload, qos, 0, &completion);
        if (code != MQTTASYNC_SUCCESS) {
            fprintf(stderr, "paho: send %llu said %d\n", (unsigned long long)number, code);
            return 1;
        }
    }
    await(&all_arrived, "last message");
    printf("{\"seconds\": %.6f, \"cpu_s\": %.6f, \"peak_kb\": %ld, \"arrived\": %ld, \"late\": %ld, \"failures\": %ld}\n",
           end_s - begin_s, end_cpu_s - begin_cpu_s, peak_kb(), arrived, late, failures);
    return 0;
}
