//! The generated definition of each kind, so that a change of the API shows in review.
// Helpers of tests may panic as the tests themselves may.
#![allow(clippy::unwrap_used, clippy::panic)]

use voxplane_crds::all_crds;

#[test]
fn definitions() {
    for crd in all_crds() {
        insta::assert_yaml_snapshot!(crd.spec.names.singular.clone().unwrap(), crd);
    }
}
