// Waits until all invocations have written what others will read.
fn settle() {
    storageBarrier();
    workgroupBarrier();
}
