/* store_database.h: the two environments and the databases in them. Pure; see store.h. */
#ifndef GATEHOUSE_SHARED_STORE_DATABASE_H
#define GATEHOUSE_SHARED_STORE_DATABASE_H

#include <stdbool.h>

enum store_environment { STORE_CONFIG, STORE_SESSIONS };

/* The databases of both environments; the name in LMDB is the lower-case part after the prefix. */
enum store_database {
    STORE_META, /* in both */
    STORE_APPS,
    STORE_HOSTS,
    STORE_APP_AUTH_CONFIGS,
    STORE_BINDINGS,
    STORE_KEYS,
    STORE_POLICIES,
    STORE_REVOCATIONS,
    STORE_STATUS,
    STORE_SESSION, /* "sessions" */
    STORE_SESSIONS_BY_USER,
    STORE_SESSIONS_BY_ID,
    STORE_MCP_SESSIONS,
    STORE_MCP_TASKS,
    STORE_DATABASES
};

const char *store_database_name(enum store_database database);

/* Whether an environment of this schema may lack it, because an earlier program made it: the first
 * that opens it for writing adds it then. */
bool store_database_is_late(enum store_database database);

/* Whether the environment has that database. */
bool store_database_in(enum store_database database, enum store_environment environment);

#endif
