//! Links the speech libraries of the operating system, and says which package is missing when one is.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // Debian ships 5prealpha, whose interface `providers/stt/pocketsphinx/ffi.rs` declares.
    for library in ["pocketsphinx", "sphinxbase"] {
        if let Err(error) = pkg_config::probe_library(library) {
            fail(&format!("{library} not found; on Debian: apt-get install libpocketsphinx-dev\n{error}"));
        }
    }
    // Flite has no pkg-config file. Voices come before the libraries they use.
    let voices = ["flite_cmu_us_slt", "flite_cmu_us_rms", "flite_cmu_us_awb", "flite_cmu_us_kal16"];
    for library in voices.into_iter().chain(["flite_usenglish", "flite_cmulex", "flite"]) {
        println!("cargo:rustc-link-lib=dylib={library}");
    }
    if !std::path::Path::new("/usr/include/flite/flite.h").exists() {
        println!("cargo:warning=no flite.h in /usr/include; should linking fail: apt-get install flite1-dev (Debian)");
    }
}

fn fail(message: &str) -> ! {
    for line in message.lines() {
        println!("cargo:warning={line}");
    }
    std::process::exit(1)
}
