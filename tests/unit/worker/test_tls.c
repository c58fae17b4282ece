#include "worker/tls.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* A self-signed certificate and its key, as two memfds, and the certificate's PEM. */
struct identity {
    struct tls_pair pair;
    char pem[4096];
    size_t pem_size;
};

static int write_pem(X509 *certificate, EVP_PKEY *key)
{
    int fd = memfd_create("pem", 0);
    FILE *file = fdopen(dup(fd), "w");

    assert_non_null(file);
    if (key != NULL)
        PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    else
        PEM_write_X509(file, certificate);
    fclose(file);
    return fd;
}

static void make_identity(struct identity *identity, const char *name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    char san[256];
    X509_EXTENSION *extension;
    ssize_t size;

    snprintf(san, sizeof(san), "DNS:%s", name);
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    identity->pair.certificate = write_pem(certificate, NULL);
    identity->pair.key = write_pem(NULL, key);
    size = pread(identity->pair.certificate, identity->pem, sizeof(identity->pem), 0);
    assert_true(size > 0);
    identity->pem_size = (size_t)size;
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static void free_identity(struct identity *identity)
{
    close(identity->pair.certificate);
    close(identity->pair.key);
}

static struct slice bundle(const struct identity *identity)
{
    return slice_make(identity->pem, identity->pem_size);
}

static const struct message_ticket_keys tickets = {.count = 1, .keys = {{1, 2, 3}}};

struct link {
    int fds[2];
    struct tls *server;
    struct tls *client;
    int server_result;
    int client_result;
    char reason[TLS_REASON_MAX];
};

/* Both handshakes over a socketpair, as far as they get. */
static void open_link(struct link *link, struct tls_server *server, struct tls_client *client,
                      const char *host)
{
    char ignored[TLS_REASON_MAX];

    *link = (struct link){.server_result = -EAGAIN, .client_result = -EAGAIN};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, link->fds), 0);
    assert_int_equal(tls_accept(&link->server, server, link->fds[0]), 0);
    assert_int_equal(tls_connect(&link->client, client, link->fds[1], slice_from(host), false), 0);
    for (int i = 0; i < 100 && link->client_result != -EPROTO; i++) {
        if (link->client_result == -EAGAIN)
            link->client_result = tls_handshake(link->client, link->reason);
        if (link->server_result == -EAGAIN)
            link->server_result = tls_handshake(link->server, ignored);
    }
}

static void close_link(struct link *link)
{
    tls_free(link->client);
    tls_free(link->server);
    close(link->fds[0]);
    close(link->fds[1]);
}

struct fixture {
    struct identity identities[2]; /* a.example, b.example */
    struct tls_server *server;     /* with both */
    struct tls_trust *trust;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    struct tls_pair pairs[2];
    char reason[TLS_REASON_MAX];

    make_identity(&fixture.identities[0], "a.example");
    make_identity(&fixture.identities[1], "b.example");
    pairs[0] = fixture.identities[0].pair;
    pairs[1] = fixture.identities[1].pair;
    assert_int_equal(tls_server_open(&fixture.server, pairs, 2, &tickets, reason), 0);
    assert_int_equal(tls_trust_open(&fixture.trust), 0);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    tls_server_close(fixture->server);
    tls_trust_close(fixture->trust);
    free_identity(&fixture->identities[0]);
    free_identity(&fixture->identities[1]);
    return 0;
}

static void test_bytes_cross_both_ways(void **state)
{
    struct fixture *fixture = *state;
    struct link link;
    char data[64];

    open_link(&link, fixture->server,
              tls_client_find(fixture->trust, bundle(&fixture->identities[0]), true), "a.example");
    assert_int_equal(link.server_result, 0);
    assert_int_equal(link.client_result, 0);
    assert_int_equal(tls_read(link.server, data, sizeof(data)), -EAGAIN);
    assert_int_equal(tls_write(link.client, "ping", 4), 4);
    assert_int_equal(tls_read(link.server, data, sizeof(data)), 4);
    assert_memory_equal(data, "ping", 4);
    assert_int_equal(tls_write(link.server, "pong", 4), 4);
    assert_int_equal(tls_read(link.client, data, 2), 2);
    assert_true(tls_pending(link.client));
    assert_int_equal(tls_read(link.client, data, sizeof(data)), 2);
    tls_free(link.client);
    link.client = NULL;
    assert_int_equal(tls_read(link.server, data, sizeof(data)), 0);
    close_link(&link);
}

static void test_name_and_issuer_are_verified(void **state)
{
    struct fixture *fixture = *state;
    struct slice a = bundle(&fixture->identities[0]);
    struct slice b = bundle(&fixture->identities[1]);
    const struct {
        struct slice bundle;
        bool verify;
        const char *host;
        int result;
    } cases[] = {
        {a, true, "a.example", 0},       {a, true, "c.example", -EPROTO},
        {b, true, "a.example", -EPROTO}, {{0}, true, "a.example", -EPROTO},
        {{0}, false, "c.example", 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct link link;

        open_link(&link, fixture->server,
                  tls_client_find(fixture->trust, cases[i].bundle, cases[i].verify), cases[i].host);
        assert_int_equal(link.client_result, cases[i].result);
        if (cases[i].result != 0)
            assert_non_null(strstr(link.reason, "certificate not trusted"));
        close_link(&link);
    }
}

static void test_sni_chooses_the_certificate(void **state)
{
    static const char *const names[] = {"a.example", "b.example"};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < 2; i++) {
        struct link link;

        open_link(&link, fixture->server,
                  tls_client_find(fixture->trust, bundle(&fixture->identities[i]), true), names[i]);
        assert_int_equal(link.client_result, 0);
        close_link(&link);
    }
}

static void test_a_connection_outlives_its_server(void **state)
{
    struct fixture *fixture = *state;
    struct tls_server *server;
    struct link link;
    char reason[TLS_REASON_MAX];
    char data[8];

    assert_int_equal(tls_server_open(&server, &fixture->identities[0].pair, 1, &tickets, reason),
                     0);
    open_link(&link, server, tls_client_find(fixture->trust, slice_make(NULL, 0), false),
              "a.example");
    tls_server_close(server);
    assert_int_equal(tls_write(link.client, "on", 2), 2);
    assert_int_equal(tls_read(link.server, data, sizeof(data)), 2);
    close_link(&link);
}

static void test_wrong_files_are_refused_with_a_reason(void **state)
{
    struct fixture *fixture = *state;
    struct tls_pair mixed = {.certificate = fixture->identities[0].pair.certificate,
                             .key = fixture->identities[1].pair.key};
    struct tls_server *server;
    char reason[TLS_REASON_MAX] = "";

    assert_int_equal(tls_server_open(&server, &mixed, 1, &tickets, reason), -EINVAL);
    assert_null(server);
    assert_non_null(strstr(reason, "a key cannot be used"));
    mixed.certificate = mixed.key;
    assert_int_equal(tls_server_open(&server, &mixed, 1, &tickets, reason), -EINVAL);
    assert_non_null(strstr(reason, "a certificate cannot be used"));
}

static void test_clients_are_shared_by_bundle(void **state)
{
    struct fixture *fixture = *state;
    struct tls_trust *trust = fixture->trust;
    struct slice a = bundle(&fixture->identities[0]);
    struct slice none = slice_make(NULL, 0);

    assert_ptr_equal(tls_client_find(trust, a, true), tls_client_find(trust, a, true));
    assert_ptr_not_equal(tls_client_find(trust, a, true), tls_client_find(trust, none, true));
    assert_ptr_equal(tls_client_find(trust, a, false), tls_client_find(trust, none, false));
    assert_null(tls_client_find(trust, slice_from("not a bundle"), true));
}

static void test_a_client_identifies_itself_with_a_pair(void **state)
{
    struct fixture *fixture = *state;
    struct tls_client *client =
        tls_client_find(fixture->trust, bundle(&fixture->identities[0]), true);
    struct tls_pair mixed = {.certificate = fixture->identities[0].pair.certificate,
                             .key = fixture->identities[1].pair.key};
    struct tls_pair none = {.certificate = -1, .key = -1};
    char reason[TLS_REASON_MAX];

    assert_int_equal(tls_client_identify(client, &none, reason), -EINVAL);
    assert_int_equal(tls_client_identify(client, &mixed, reason), -EINVAL);
    assert_non_null(strstr(reason, "key"));
    assert_int_equal(tls_client_identify(client, &fixture->identities[0].pair, reason), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_cross_both_ways),
        cmocka_unit_test(test_a_client_identifies_itself_with_a_pair),
        cmocka_unit_test(test_name_and_issuer_are_verified),
        cmocka_unit_test(test_sni_chooses_the_certificate),
        cmocka_unit_test(test_a_connection_outlives_its_server),
        cmocka_unit_test(test_wrong_files_are_refused_with_a_reason),
        cmocka_unit_test(test_clients_are_shared_by_bundle),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
