//! Variables by which the CLI itself would be led elsewhere.

use super::context::chosen;

/// Names by which the CLI, its runtime, its libraries, its shell or its credential helpers are led.
const LEADING: [&str; 17] = [
    "BASH_ENV",
    "GCONV_PATH",
    "GOCOVERDIR",
    "GODEBUG",
    "GOGC",
    "GOMAXPROCS",
    "GOMEMLIMIT",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOTRACEBACK",
    "HOME",
    "HOSTALIASES",
    "LOCPATH",
    "PATH",
    "REGISTRIES_CONFIG_PATH",
    "REGISTRY_AUTH_FILE",
    "SHELLOPTS",
    "TMPDIR",
];
/// Beginnings of such names.
const LEADING_FAMILIES: [&str; 20] = [
    "AWS_",
    "AZURE_",
    "BUILDAH_",
    "BUILDKIT_",
    "CLOUDSDK_",
    "CONTAINER",
    "DBUS_",
    "DOCKER_",
    "GLIBC_",
    "GRPC_",
    "LD_",
    "LISTEN_",
    "MALLOC_",
    "MOBY_",
    "NOTIFY_",
    "OTEL_",
    "PODMAN_",
    "SSL_CERT_",
    "STORAGE_",
    "XDG_",
];

/// Whether a variable of this name in the CLI's own environment would change what it does.
pub(super) fn leads(name: &str) -> bool {
    // On the way to a socket there is no proxy; and by its name alone such a variable wins over the CLI's own settings.
    let is_proxy = name.to_lowercase().ends_with("_proxy") && !is_by_socket();
    let family = LEADING_FAMILIES.iter().any(|it| name.starts_with(it));
    is_proxy || family || LEADING.contains(&name)
}

/// Whether the CLI reaches the engine by a socket of this machine, as far as the environment says.
fn is_by_socket() -> bool {
    let is_elsewhere = |name| {
        let host = std::env::var(name).unwrap_or_default();
        !host.is_empty() && !host.starts_with("unix:") && !host.starts_with('/')
    };
    !is_elsewhere("DOCKER_HOST") && !is_elsewhere("CONTAINER_HOST") && matches!(chosen(), Ok(None))
}
