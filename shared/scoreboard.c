#include "shared/scoreboard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const counter_names[COUNTERS] = {
    [COUNT_CONNECTIONS] = "connections_total",
    [COUNT_REQUESTS] = "requests_total",
    [COUNT_RESPONSES_2XX] = "responses_2xx_total",
    [COUNT_RESPONSES_4XX] = "responses_4xx_total",
    [COUNT_RESPONSES_5XX] = "responses_5xx_total",
    [COUNT_SESSIONS_CREATED] = "sessions_created_total",
    [COUNT_SESSIONS_FOUND] = "sessions_found_total",
    [COUNT_SIGNATURE_CHECKS] = "signature_checks_total",
    [COUNT_LABEL_MATCHES] = "label_matches_total",
    [COUNT_CONFIG_LISTS] = "config_lists_total",
    [COUNT_TOKEN_REFUSED_MISSING] = "tokens_refused_missing_total",
    [COUNT_TOKEN_REFUSED_MALFORMED] = "tokens_refused_malformed_total",
    [COUNT_TOKEN_REFUSED_EXPIRED] = "tokens_refused_expired_total",
    [COUNT_TOKEN_REFUSED_AUDIENCE] = "tokens_refused_audience_total",
    [COUNT_TOKEN_REFUSED_ISSUER] = "tokens_refused_issuer_total",
    [COUNT_TOKEN_REFUSED_SIGNATURE] = "tokens_refused_signature_total",
    [COUNT_TOKEN_REFUSED_KID] = "tokens_refused_kid_total",
    [COUNT_TOKEN_REFUSED_ALG] = "tokens_refused_alg_total",
    [COUNT_TOKEN_REFUSED_CLAIM] = "tokens_refused_claim_total",
    [COUNT_TOKEN_REFUSED_AGE] = "tokens_refused_age_total",
    [COUNT_TOKEN_REFUSED_REVOKED] = "tokens_refused_revoked_total",
    [COUNT_TOKEN_UNAVAILABLE] = "tokens_unavailable_total",
    [COUNT_POLICY_REFUSED] = "policy_refused_total",
    [COUNT_UPSTREAM_CONNECTS] = "upstream_connects_total",
    [COUNT_UPSTREAM_REUSED] = "upstream_reused_total",
    [COUNT_UPSTREAM_FAILED] = "upstream_failed_total",
    [COUNT_MCP_SESSIONS_REINITIALIZED] = "mcp_sessions_reinitialized_total",
    [COUNT_MCP_SESSIONS_REINITIALIZE_FAILED] = "mcp_sessions_reinitialize_failed_total",
    [COUNT_HEALTH_PROBES] = "health_probes_total",
    [COUNT_HEALTH_TRANSITIONS] = "health_transitions_total",
    [COUNT_STORE_FULL] = "store_full_total",
    [COUNT_KEY_FETCHES] = "key_fetches_total",
    [COUNT_KEY_FETCHES_FAILED] = "key_fetches_failed_total",
    [COUNT_PUBLISHED] = "published_total",
    [COUNT_DOCUMENTS_REFUSED] = "documents_refused_total",
    [COUNT_SESSIONS_EXPIRED] = "sessions_expired_total",
    [COUNT_AUDIT_LINES] = "audit_lines_total",
    [COUNT_AUDIT_LOST] = "audit_lines_lost_total",
    [COUNT_AUDIT_FAILURES] = "audit_failures_total",
    [COUNT_LOG_LOST] = "log_lines_lost_total",
    [COUNT_PROCESSES_KILLED] = "processes_killed_total",
    [COUNT_RESPAWNS] = "respawns_total",
};

static const char *const gauge_names[GAUGES] = {
    [GAUGE_CONNECTIONS] = "connections",
    [GAUGE_EXCHANGES] = "exchanges",
    [GAUGE_STREAMS] = "streams",
    [GAUGE_BODY_BYTES] = "body_bytes",
    [GAUGE_ENDPOINTS_PROBED] = "endpoints_probed",
    [GAUGE_ENDPOINTS_DEAD] = "endpoints_dead",
    [GAUGE_AUDIT_FAILING] = "audit_failing",
    [GAUGE_BRIDGE_SESSIONS] = "bridge_sessions",
    [GAUGE_BRIDGE_LINES] = "bridge_queued_lines",
    [GAUGE_BRIDGE_BYTES] = "bridge_kept_bytes",
};

/* A size-sealed board: no process can cut it under another's feet (SIGBUS). -errno. */
static int board_create(const char *name, size_t size)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int error;

    if (fd < 0)
        return -errno;
    if (ftruncate(fd, (off_t)size) == 0 && fchmod(fd, 0600) == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        return fd;
    error = -errno;
    close(fd);
    return error;
}

int scoreboard_create(uid_t public_owner, int *public_fd, int *work_fd)
{
    int public = board_create(SCOREBOARD_PUBLIC_NAME, sizeof(struct scoreboard_public));
    int work, error;

    if (public < 0)
        return public;
    /* A descriptor's link in /proc can be opened again, with other rights: the mode forbids it. */
    if (public_owner != geteuid() && fchown(public, public_owner, (gid_t)-1) < 0) {
        error = -errno;
        close(public);
        return error;
    }
    work = board_create(SCOREBOARD_WORK_NAME, sizeof(struct scoreboard_work));
    if (work < 0) {
        close(public);
        return work;
    }
    *public_fd = public;
    *work_fd = work;
    return 0;
}

int scoreboard_reopen_read_only(int public_fd)
{
    char path[48];
    int fd;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", public_fd);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int board_map(int fd, size_t size, int protection, void **out)
{
    struct stat status;
    void *memory;

    if (fstat(fd, &status) < 0)
        return -errno;
    if (status.st_size != (off_t)size)
        return -EINVAL;
    memory = mmap(NULL, size, protection, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return -errno;
    *out = memory;
    return 0;
}

int scoreboard_map_public(int fd, int writable, struct scoreboard_public **out)
{
    void *memory;
    int error = board_map(fd, sizeof(struct scoreboard_public),
                          writable ? PROT_READ | PROT_WRITE : PROT_READ, &memory);

    if (error == 0)
        *out = memory;
    return error;
}

int scoreboard_map_work(int fd, struct scoreboard_work **out)
{
    void *memory;
    int error = board_map(fd, sizeof(struct scoreboard_work), PROT_READ | PROT_WRITE, &memory);

    if (error == 0)
        *out = memory;
    return error;
}

int scoreboard_map_work_read_only(int fd, const struct scoreboard_work **out)
{
    void *memory;
    int error = board_map(fd, sizeof(struct scoreboard_work), PROT_READ, &memory);

    if (error == 0)
        *out = memory;
    return error;
}

const char *scoreboard_counter_name(enum scoreboard_counter counter)
{
    return counter < COUNTERS ? counter_names[counter] : NULL;
}

const char *scoreboard_gauge_name(enum scoreboard_gauge gauge)
{
    return gauge < GAUGES ? gauge_names[gauge] : NULL;
}

uint64_t scoreboard_sum(const struct scoreboard_work *work, enum scoreboard_counter counter)
{
    uint64_t sum = atomic_load_explicit(&work->totals.counters[counter], memory_order_relaxed);

    for (size_t i = 0; i < SCOREBOARD_BLOCKS; i++)
        if (atomic_load_explicit(&work->blocks[i].pid, memory_order_relaxed) != 0)
            sum += atomic_load_explicit(&work->blocks[i].counters[counter], memory_order_relaxed);
    return sum;
}

uint64_t scoreboard_gauge_sum(const struct scoreboard_work *work, enum scoreboard_gauge gauge)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < SCOREBOARD_BLOCKS; i++)
        if (atomic_load_explicit(&work->blocks[i].pid, memory_order_relaxed) != 0)
            sum += atomic_load_explicit(&work->blocks[i].gauges[gauge], memory_order_relaxed);
    return sum;
}
