/* queueload - fills and drains one session's queue, and fills retained messages, over one connection (MQTT 3.1.1).
 *   cc -O2 -o queueload queueload.c
 *   queueload subscribe --port P --id NAME --filter F                 a lasting session that subscribes at QoS 1 and leaves
 *   queueload publish   --port P --topic T --count N [--topics K] [--payload BYTES] [--window W] [--retain]
 *                       N messages at QoS 1, on T or on T/0 … T/K-1 in turn; waits for every PUBACK
 *   queueload drain     --port P --id NAME --count N                  takes N messages in order, acknowledges each
 *   queueload retained  --port P --filter F --count N                 a new subscriber takes N retained messages
 * Every message carries its number; drain checks that none is missing, doubled or out of order. One line of JSON each.
 * Loopback only; gives up after 30 s without progress.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef uint8_t u8; typedef uint64_t u64;

static int fd; static const char *cmd, *id = "queueload", *topic = "q", *filter = "q";
static int port = 1883, retain; static u64 count = 1000, topics = 1; static unsigned payload = 100, window = 5000;
static u8 in[1 << 20]; static size_t have, at;
static u8 *out; static size_t used, sent, room;

static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec / 1e9; }
static void die(const char *why) { printf("{\"cmd\":\"%s\",\"error\":\"%s\"}\n", cmd, why); exit(1); }

/* ---- output: gathered, written as the socket takes it */
static void put(const void *p, size_t n)
{
	if (used + n > room) { room = (used + n) * 2; if (!(out = realloc(out, room))) die("out of memory"); }
	memcpy(out + used, p, n); used += n;
}
static void put16(unsigned v) { u8 b[2] = { v >> 8, v }; put(b, 2); }
static void text(const char *s) { put16(strlen(s)); put(s, strlen(s)); }
static void head(u8 first, size_t length)
{
	put(&first, 1);
	do { u8 b = length & 127; length >>= 7; if (length) b |= 128; put(&b, 1); } while (length);
}
static void flush(void)
{
	while (sent < used) {
		ssize_t n = send(fd, out + sent, used - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0) sent += n;
		else if (errno == EAGAIN) return;
		else if (errno != EINTR) die("the broker closed while we wrote");
	}
	used = sent = 0;
}

/* ---- input: the next whole packet, or 0 where none is there yet */
static u8 *next(size_t *length, u8 *first)
{
	size_t i = at + 1, n = 0;
	for (int shift = 0; ; shift += 7, i++) {
		if (i >= have) return 0;
		n |= (size_t)(in[i] & 127) << shift;
		if (!(in[i] & 128)) break;
		if (shift > 21) die("a length of more than four bytes");
	}
	if (n > sizeof in / 2) die("a packet that is too large");
	if (have - i - 1 < n) return 0;
	*first = in[at]; *length = n; at = i + 1 + n;
	return in + i + 1;
}
static void wait_io(void)
{
	struct pollfd p = { fd, POLLIN | (sent < used ? POLLOUT : 0), 0 };
	if (poll(&p, 1, 30000) == 0) die("no progress for 30 s");
	if (p.revents & POLLOUT) flush();
	if (!(p.revents & (POLLIN | POLLHUP | POLLERR))) return;
	memmove(in, in + at, have - at); have -= at; at = 0;
	ssize_t n = recv(fd, in + have, sizeof in - have, 0);
	if (n == 0 || (n < 0 && errno != EINTR)) die("the broker closed");
	if (n > 0) have += n;
}
static u8 *expect(u8 first, size_t *length)
{
	u8 got, *body;
	while (!(body = next(length, &got))) wait_io();
	if (got != first) die("another packet than the one that is due");
	return body;
}

static int connect_session(int clean)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
	int one = 1;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(fd, (void *)&a, sizeof a)) die("cannot connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	head(0x10, 10 + 2 + strlen(id)); text("MQTT");
	u8 rest[] = { 4, clean ? 2 : 0, 0, 0 }; put(rest, 4); text(id); flush();
	size_t n; u8 *body = expect(0x20, &n);
	if (body[1]) die("the broker refuses the connection");
	return body[0];
}
static void subscribe(int qos)
{
	size_t n; u8 q = qos;
	head(0x82, 2 + 2 + strlen(filter) + 1); put16(1); text(filter); put(&q, 1); flush();
	if (expect(0x90, &n)[2] != qos) die("not granted");
}

static void publish(void)
{
	u64 next_out = 0, acked = 0; char name[256]; u8 *body = calloc(1, payload < 8 ? 8 : payload), first; size_t n;
	if (payload < 8) payload = 8;
	connect_session(1);
	double start = now();
	while (acked < count) {
		while (next_out < count && next_out - acked < window && used - sent < 256 << 10) {
			if (topics > 1) snprintf(name, sizeof name, "%s/%llu", topic, (unsigned long long)(next_out % topics));
			else snprintf(name, sizeof name, "%s", topic);
			memcpy(body, &next_out, 8);
			head(0x32 | retain, 2 + strlen(name) + 2 + payload);
			text(name); put16(next_out % 60000 + 1); put(body, payload); next_out++;
		}
		flush();
		wait_io();
		for (u8 *p; (p = next(&n, &first)); acked++)
			if (first != 0x40 || (unsigned)(p[0] << 8 | p[1]) != acked % 60000 + 1) die("not the PUBACK that is due");
	}
	double s = now() - start;
	printf("{\"cmd\":\"publish\",\"count\":%llu,\"seconds\":%.3f,\"rate\":%.0f}\n", (unsigned long long)count, s, count / s);
}

static void drain(void)
{
	u64 taken = 0; size_t n; u8 first;
	int present = connect_session(0);
	double start = now(), tick = start + 1; u64 before = 0;
	if (!present) die("the session is gone");
	while (taken < count) {
		for (u8 *p; taken < count && (p = next(&n, &first)); ) {
			if ((first & 0xF6) != 0x32) die("not a PUBLISH at QoS 1");
			size_t skip = 2 + (p[0] << 8 | p[1]); u64 number;
			memcpy(&number, p + skip + 2, 8);
			if (number != taken) { fprintf(stderr, "message %llu came where %llu was due\n", (unsigned long long)number, (unsigned long long)taken); die("missing, doubled or out of order"); }
			u8 ack[4] = { 0x40, 2, p[skip], p[skip + 1] }; put(ack, 4); taken++;
		}
		flush();
		if (now() >= tick) {
			fprintf(stderr, "%.0f s: %llu, %llu/s\n", now() - start, (unsigned long long)taken, (unsigned long long)(taken - before));
			before = taken; tick += 1;
		}
		if (taken < count) wait_io();
	}
	double s = now() - start;
	while (sent < used) { wait_io(); }
	u8 ping[2] = { 0xC0, 0 }; put(ping, 2); flush(); expect(0xD0, &n);
	u8 bye[2] = { 0xE0, 0 }; put(bye, 2); flush();
	printf("{\"cmd\":\"drain\",\"count\":%llu,\"seconds\":%.3f,\"rate\":%.0f}\n", (unsigned long long)count, s, count / s);
}

static void take_retained(void)
{
	u64 taken = 0; size_t n; u8 first;
	connect_session(1);
	double start = now();
	subscribe(0);
	for (; taken < count; ) {
		while (taken < count && next(&n, &first)) { if ((first & 0xF1) != 0x31) die("not a retained message"); taken++; }
		if (taken < count) wait_io();
	}
	double s = now() - start;
	printf("{\"cmd\":\"retained\",\"count\":%llu,\"seconds\":%.3f,\"rate\":%.0f}\n", (unsigned long long)count, s, count / s);
}

int main(int argc, char **argv)
{
	if (argc < 2) { fprintf(stderr, "queueload subscribe|publish|drain|retained [options]; see the head of queueload.c\n"); return 2; }
	cmd = argv[1];
	for (int i = 2; i < argc; i++) {
		const char *k = argv[i];
		if (!strcmp(k, "--retain")) { retain = 1; continue; }
		if (++i >= argc) die("an option without a value");
		const char *v = argv[i];
		if (!strcmp(k, "--port")) port = atoi(v);
		else if (!strcmp(k, "--id")) id = v;
		else if (!strcmp(k, "--topic")) topic = v;
		else if (!strcmp(k, "--filter")) filter = v;
		else if (!strcmp(k, "--count")) count = strtoull(v, 0, 10);
		else if (!strcmp(k, "--topics")) topics = strtoull(v, 0, 10);
		else if (!strcmp(k, "--payload")) payload = atoi(v);
		else if (!strcmp(k, "--window")) window = atoi(v);
		else die("an unknown option");
	}
	if (window > 50000) window = 50000;
	if (!strcmp(cmd, "subscribe")) {
		connect_session(0); subscribe(1);
		u8 bye[2] = { 0xE0, 0 }; put(bye, 2); flush();
		printf("{\"cmd\":\"subscribe\"}\n");
	} else if (!strcmp(cmd, "publish")) publish();
	else if (!strcmp(cmd, "drain")) drain();
	else if (!strcmp(cmd, "retained")) take_retained();
	else die("an unknown command");
	return 0;
}
