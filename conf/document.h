/* document.h: documents as they are written, checked one by one; nothing is matched or fetched.
 *
 * Read by the watcher (which compares, matches and publishes) and by `check`. A document that is
 * wrong yields diagnostics and DOCUMENT_REFUSED with as much of its kind and name as could be read,
 * so that its last good version can be kept. What is not YAML from some line on yields a refused
 * document too, of unknown kind or without a name when the mistake came before them: whatever its
 * file held before is then to be kept. Texts are the list's arena's.
 */
#ifndef GATEHOUSE_CONF_DOCUMENT_H
#define GATEHOUSE_CONF_DOCUMENT_H

#include "conf/diagnostic.h"
#include "conf/role_sides.h"
#include "shared/app_record.h"
#include "shared/auth_config_record.h"
#include "shared/revocation_record.h"
#include "shared/settings.h"

enum { DOCUMENT_FILE_MAX = 16 * 1024 * 1024, DOCUMENTS_MAX = 100000 }; /* bytes; documents in all */

struct dirent;
struct stat;
struct stdio_document;

enum document_kind {
    DOCUMENT_UNKNOWN,
    DOCUMENT_APP,
    DOCUMENT_AUTH_CONFIG,
    DOCUMENT_ROLE,
    DOCUMENT_LOCK,
};

enum document_state {
    DOCUMENT_GOOD,
    DOCUMENT_REFUSED,
    DOCUMENT_MERGED, /* good, and a part of an earlier one of its name (app_merge.h) */
};

struct auth_config_document {
    struct auth_config_record record;           /* without revision and key states */
    struct slice audiences[AUTH_AUDIENCES_MAX]; /* templates not filled in */
    size_t audience_count;
    struct label_selector *selectors;
    size_t selector_count;
    struct slice jwks_url;    /* empty: static, or the issuer is asked (discovery.h) */
    bool jwks_insecure;       /* spec.jwt.insecure: http to other than loopback */
    struct slice static_jwks; /* empty: fetched */
};

/* One of the documents that an app is put together from. */
struct app_part {
    struct slice file;
    size_t endpoints; /* how many it names; those of the next part follow them */
};

struct app_document {
    struct app_record record;     /* endpoints without addresses */
    struct slice ca_file;         /* absolute; empty: none. record.ca_pem is read by the watcher */
    struct app_health health;     /* as it is once the app has more than one endpoint */
    bool health_said;             /* then record.health is the same, else off for one endpoint */
    struct stdio_document *stdio; /* the list's arena's; NULL: no stdio server */
    struct app_part parts[APP_ENDPOINTS_MAX];
    size_t part_count; /* 0: it is this document alone */
};

struct lock_document {
    struct revocation_target target;
    int64_t expires; /* wall seconds; 0: never */
    struct slice message;
};

struct document {
    enum document_kind kind;
    enum document_state state;
    struct slice name; /* empty when it could not be read */
    struct place place;
    /* SHA-256 in hex of the meaning: same hash, nothing to do. Empty when refused. */
    struct slice hash;
    union {
        struct app_document app;
        struct auth_config_document auth_config;
        struct lock_document lock;
        struct role_sides role;
    };
};

struct document_list {
    struct arena arena;
    struct document *documents; /* owned; moves when the list grows */
    size_t count;
    size_t capacity;
};

/* Reads gatehouse.yaml from text: the settings (strings are the list's arena's) and the apps of
 * app_service, with the debug app. `path`: absolute, for places and relative paths. false when
 * there were errors (they are in diagnostics); only resources_dir is then to be used. Resolves user
 * names when `resolve_users`. */
bool settings_document_read(struct slice text, struct slice path, bool resolve_users,
                            struct settings *settings, struct document_list *apps,
                            struct diagnostics *diagnostics);

/* Adds the documents of one file's text. */
void documents_read_text(struct slice text, struct slice file, struct document_list *list,
                         struct diagnostics *diagnostics);

/* The same, of one file of an open directory; `path` is its place. An unreadable file is a
 * diagnostic. *status: as it was before it was read; untouched when it cannot be opened. */
void documents_read_file(int directory, const char *name, struct slice path,
                         struct document_list *list, struct diagnostics *diagnostics,
                         struct stat *status);

/* Opens a directory, and lists its *.yaml and *.yml, not hidden, by name. The descriptor, or
 * -errno; it, the *count entries and their array are the caller's to close and to free. */
int documents_open(const char *directory, struct dirent ***entries, int *count);

/* Adds the documents of every *.yaml and *.yml of a directory (by name, not hidden, not deeper). 0
 * or -errno of the directory itself; an unreadable file is a diagnostic. */
int documents_read_directory(struct slice directory, struct document_list *list,
                             struct diagnostics *diagnostics);

/* What no single document shows. Both: documents_check_together. `public_addr` is the gate's.
 *
 * Names: two documents of one kind and name (but apps that can be put together: the first is then
 * all of them), two apps of one public_addr (both refused, naming both
 * places), an app with the gate's own host (refused). Costs a sort.
 * Bindings: two configs of one issuer on one app (an error naming both places; which of them is
 * kept depends on what was before, so none is refused here: the watcher does its own, incremental
 * form), and a literal audience that opens more than one app (a warning). Costs configs x apps. */
void documents_check_names(struct document_list *list, struct slice public_addr,
                           struct diagnostics *diagnostics);
void documents_check_bindings(const struct document_list *list, struct diagnostics *diagnostics);
void documents_check_together(struct document_list *list, struct slice public_addr,
                              struct diagnostics *diagnostics);

/* Appends a copy. False when the list is full or there is no memory. */
bool document_list_add(struct document_list *list, const struct document *document);
void document_list_free(struct document_list *list);

#endif
