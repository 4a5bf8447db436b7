// Has the filter's loads of every register tile run eight steps ahead.
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%module: !transform.any_op) {
    %tiles = transform.structured.match ops{["boo.brgemm"]} in %module
        : (!transform.any_op) -> !transform.any_op
    %steps = transform.param.constant 8 : i64 -> !transform.param<i64>
    transform.annotate %tiles "prefetch" = %steps
        : !transform.any_op, !transform.param<i64>
    transform.yield
  }
}
