#include "shared/store_database.h"

static const struct {
    const char *name;
    bool in[2]; /* by enum store_environment */
} store_databases[STORE_DATABASES] = {
    [STORE_META] = {"meta", {true, true}},
    [STORE_APPS] = {"apps", {true, false}},
    [STORE_HOSTS] = {"hosts", {true, false}},
    [STORE_APP_AUTH_CONFIGS] = {"app_auth_configs", {true, false}},
    [STORE_BINDINGS] = {"bindings", {true, false}},
    [STORE_KEYS] = {"keys", {true, false}},
    [STORE_POLICIES] = {"policies", {true, false}},
    [STORE_REVOCATIONS] = {"revocations", {true, false}},
    [STORE_STATUS] = {"status", {true, false}},
    [STORE_SESSION] = {"sessions", {false, true}},
    [STORE_SESSIONS_BY_USER] = {"sessions_by_user", {false, true}},
    [STORE_SESSIONS_BY_ID] = {"sessions_by_id", {false, true}},
    [STORE_MCP_SESSIONS] = {"mcp_sessions", {false, true}},
    [STORE_MCP_TASKS] = {"mcp_tasks", {false, true}},
};

const char *store_database_name(enum store_database database)
{
    return store_databases[database].name;
}

bool store_database_is_late(enum store_database database)
{
    return database == STORE_MCP_TASKS;
}

bool store_database_in(enum store_database database, enum store_environment environment)
{
    return store_databases[database].in[environment];
}
