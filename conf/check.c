#include "conf/document.h"
#include "conf/roles.h"
#include "conf/stdio_admission.h"
#include "conf/text_file.h"
#include "conf/yaml.h"
#include "shared/certificate.h"
#include "shared/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LINE_MAX_SIZE = 4096 }; /* bytes of one printed diagnostic */

struct check {
    struct diagnostics diagnostics;
    struct document_list list;
    struct settings settings;
};

static void check_refuse(struct check *check, struct slice file, const char *key,
                         const char *reason)
{
    diagnostics_add(&check->diagnostics, DIAGNOSTIC_ERROR, (struct place){.file = file}, key, NULL,
                    "%s", reason);
}

/* A file that the service will open when it runs. false: told that it cannot be read. */
static bool check_file(struct check *check, struct slice path, struct place place, const char *key,
                       struct buffer *text)
{
    struct slice copy = arena_copy(&check->list.arena, path);
    int fd;
    int error;

    if (copy.data == NULL)
        return false;
    fd = open(copy.data, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    error = fd < 0 ? -errno : text_file_read(fd, text);
    if (error != 0)
        diagnostics_add(&check->diagnostics, DIAGNOSTIC_ERROR, place, key, NULL, "%.*s %s",
                        (int)path.size, path.data, text_file_reason(error));
    if (fd >= 0)
        close(fd);
    return error == 0;
}

static struct place place_of(const struct yaml_node *node, const char *key)
{
    const struct yaml_node *member = yaml_find(node, key);

    return member == NULL ? node->place : member->place;
}

/* What a worker would refuse, or its clients. */
static void check_pair(struct check *check, const struct settings_certificate *files,
                       const struct yaml_node *node)
{
    static const struct {
        const char *reason;
        enum diagnostic_severity severity;
        bool key;
    } faults[] = {
        [CERTIFICATE_UNREADABLE] = {"holds no certificate in PEM form", DIAGNOSTIC_ERROR, false},
        [CERTIFICATE_KEY_UNREADABLE] = {"holds no private key in PEM form, or one with a password",
                                        DIAGNOSTIC_ERROR, true},
        [CERTIFICATE_KEY_OTHER] = {"is not the key of the certificate", DIAGNOSTIC_ERROR, true},
        [CERTIFICATE_EXPIRED] = {"has expired", DIAGNOSTIC_WARNING, false},
        [CERTIFICATE_NOT_YET] = {"is not valid yet", DIAGNOSTIC_WARNING, false},
    };
    struct place certificate_place = place_of(node, "certificate");
    struct place key_place = place_of(node, "key");
    struct buffer certificate = {0}, key = {0};
    bool readable =
        check_file(check, files->certificate, certificate_place, "certificate", &certificate);
    enum certificate_fault fault = CERTIFICATE_GOOD;

    if (check_file(check, files->key, key_place, "key", &key) && readable)
        fault = certificate_check(buffer_slice(&certificate), buffer_slice(&key));
    if (fault != CERTIFICATE_GOOD) {
        struct slice path = faults[fault].key ? files->key : files->certificate;

        diagnostics_add(&check->diagnostics, faults[fault].severity,
                        faults[fault].key ? key_place : certificate_place,
                        faults[fault].key ? "key" : "certificate", NULL, "%.*s %s", (int)path.size,
                        path.data, faults[fault].reason);
    }
    buffer_free(&certificate);
    buffer_wipe(&key);
}

/* The text is read once more for the places: the settings' certificates are in its order. */
static void check_certificates(struct check *check, struct slice text)
{
    const struct yaml_node *root =
        yaml_read(text, check->settings.path, &check->list.arena, &check->diagnostics);
    const struct yaml_node *listen = yaml_find(root, "gate.listen");
    size_t index = 0;

    for (listen = listen == NULL ? NULL : listen->first; listen != NULL; listen = listen->next) {
        const struct yaml_node *node = yaml_find(listen, "tls.certificates");

        for (node = node == NULL ? NULL : node->first;
             node != NULL && index < check->settings.certificate_count; node = node->next)
            check_pair(check, &check->settings.certificates[index++], node);
    }
}

static void check_bundles(struct check *check)
{
    for (size_t i = 0; i < check->list.count; i++) {
        const struct document *document = &check->list.documents[i];
        struct buffer text = {0};

        if (document->kind == DOCUMENT_APP && document->app.ca_file.size > 0)
            (void)check_file(check, document->app.ca_file, document->place, "ca", &text);
        buffer_free(&text);
    }
}

static void check_resources(struct check *check)
{
    struct slice directory = check->settings.resources_dir;
    char reason[256];
    int error;

    if (directory.size == 0)
        return;
    error = documents_read_directory(directory, &check->list, &check->diagnostics);
    if (error == 0)
        return;
    snprintf(reason, sizeof(reason), "the directory cannot be read: %s", strerror(-error));
    check_refuse(check, directory, "", reason);
}

/* As the collector will judge them. */
static void check_stdio(struct check *check)
{
    const struct stdio_authority authority = {
        .root = geteuid() == 0, .self = geteuid(), .settings = &check->settings};

    for (size_t i = 0; i < check->list.count; i++) {
        const struct document *document = &check->list.documents[i];
        bool good = document->kind == DOCUMENT_APP && document->state == DOCUMENT_GOOD;
        int fd;

        if (!good || document->app.stdio == NULL)
            continue;
        fd = open(document->place.file.data, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        (void)stdio_admit_file(&authority, fd, document->app.stdio->command, &check->diagnostics);
        (void)stdio_admit_app(&authority, document->app.stdio, &check->diagnostics);
        if (fd >= 0)
            close(fd);
    }
}

/* The settings first: without them it is unknown where the rest is. Users are looked up when they
 * would be used. */
static void check_settings(struct check *check, struct slice text, struct slice path)
{
    bool good = settings_document_read(text, path, geteuid() == 0, &check->settings, &check->list,
                                       &check->diagnostics);

    check_resources(check);
    if (!good)
        return;
    documents_check_together(&check->list, check->settings.public_addr, &check->diagnostics);
    check_certificates(check, text);
    check_bundles(check);
    check_stdio(check);
}

static void check_read(struct check *check, const char *name)
{
    struct buffer text = {0};
    char path[PATH_MAX];
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int error = fd < 0 ? -errno : text_file_read(fd, &text);

    if (error == 0 && realpath(name, path) == NULL)
        error = -errno;
    if (error == 0)
        check_settings(check, buffer_slice(&text), slice_from(path));
    else
        check_refuse(check, slice_from(name), "", text_file_reason(error));
    if (fd >= 0)
        close(fd);
    buffer_free(&text);
}

static void check_print(struct check *check, const char *name)
{
    char line[LINE_MAX_SIZE];
    size_t apps = 0;
    size_t configs = 0;
    size_t roles = 0;

    diagnostics_sort(&check->diagnostics);
    for (size_t i = 0; i < check->diagnostics.count; i++) {
        diagnostic_format(&check->diagnostics.entries[i], line, sizeof(line));
        fprintf(stderr, "%s\n", line);
    }
    if (check->diagnostics.errors > 0)
        return;
    for (size_t i = 0; i < check->list.count; i++) {
        apps += check->list.documents[i].kind == DOCUMENT_APP;
        configs += check->list.documents[i].kind == DOCUMENT_AUTH_CONFIG;
        roles += check->list.documents[i].kind == DOCUMENT_ROLE;
    }
    printf("%s: ok: %zu %s, %zu %s", name, apps, apps == 1 ? "app" : "apps", configs,
           configs == 1 ? "app auth config" : "app auth configs");
    if (roles > 0)
        printf(", %zu %s", roles, roles == 1 ? "role" : "roles");
    printf("\n");
}

int check_main(const char *path)
{
    struct check check = {0};
    int status;

    check_read(&check, path);
    check_print(&check, path);
    status = check.diagnostics.errors == 0 ? EXIT_SUCCESS : EXIT_SETTINGS;
    document_list_free(&check.list);
    diagnostics_free(&check.diagnostics);
    return status;
}
