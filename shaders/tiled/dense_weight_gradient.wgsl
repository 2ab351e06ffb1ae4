// dW = X^T dY + 2 L2 W, and db = the column sums of dY.
//
//   x       [rows, inputs]
//   dy      [rows, outputs]
//   params  [inputs + 1, outputs]   W, and b as one more row
//   dparams [inputs + 1, outputs]   dW, and db as one more row
//
// With a column of ones behind X this is one matrix product over the rows.
//
// A workgroup of 32 computes a tile of 32 by 32 parameters, each invocation 8 by 4 of it in
// registers. Slices of 16 along the sum pass through workgroup memory.
// Dispatch: one workgroup a tile, row after row of tiles, folded into y where x would overflow.
// Host twin: engine/host/kernels.rs, dense_weight_gradient.

struct Arguments {
    rows: u32,
    inputs: u32,
    outputs: u32,
    l2: f32,
}

@group(0) @binding(0) var<uniform> args: Arguments;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read> params: array<f32>;
@group(0) @binding(4) var<storage, read_write> dparams: array<f32>;

const SIDE = 32u;               // of a tile
const QUADS = SIDE / 4u;        // vec4s along a side
const SLICE = 16u;
const LOADS = SLICE * QUADS / 32u;

var<workgroup> x_slice: array<vec4<f32>, SLICE * QUADS>;   // [k][input / 4]
var<workgroup> dy_slice: array<vec4<f32>, SLICE * QUADS>;  // [k][column / 4]

fn x_at(k: u32, input: u32) -> f32 {
    if k >= args.rows || input > args.inputs { return 0.0; }
    if input == args.inputs { return 1.0; }
    return x[k * args.inputs + input];
}

fn dy_at(k: u32, column: u32) -> f32 {
    if k >= args.rows || column >= args.outputs { return 0.0; }
    return dy[k * args.outputs + column];
}

fn store(input: u32, column: u32, sum: f32) {
    if input > args.inputs || column >= args.outputs { return; }
    let at = input * args.outputs + column;
    let decay = select(0.0, 2.0 * args.l2, input < args.inputs);
    dparams[at] = fma(decay, params[at], sum);
}

@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let tiles_across = (args.outputs + SIDE - 1u) / SIDE;
    let tile = group.x + group.y * groups.x;
    let input_0 = tile / tiles_across * SIDE;
    let column_0 = tile % tiles_across * SIDE;
    let my_inputs = local / QUADS;
    let my_columns = local % QUADS;

    var sums: array<vec4<f32>, 8>;  // [input]
    for (var k_0 = 0u; k_0 < args.rows; k_0 += SLICE) {
        for (var load = 0u; load < LOADS; load++) {
            let at = local + load * 32u;
            // Neighbours read neighbours: along a row of X, along a row of dY.
            let k = k_0 + at / QUADS;
            let input = input_0 + at % QUADS * 4u;
            x_slice[at] = vec4(x_at(k, input), x_at(k, input + 1u),
                               x_at(k, input + 2u), x_at(k, input + 3u));
            let column = column_0 + at % QUADS * 4u;
            dy_slice[at] = vec4(dy_at(k, column), dy_at(k, column + 1u),
                                dy_at(k, column + 2u), dy_at(k, column + 3u));
        }
        workgroupBarrier();
        for (var k = 0u; k < SLICE; k++) {
            let xs = x_slice[k * QUADS + my_inputs * 2u];
            let xs_2 = x_slice[k * QUADS + my_inputs * 2u + 1u];
            let dys = dy_slice[k * QUADS + my_columns];
            sums[0] = fma(vec4(xs.x), dys, sums[0]);
            sums[1] = fma(vec4(xs.y), dys, sums[1]);
            sums[2] = fma(vec4(xs.z), dys, sums[2]);
            sums[3] = fma(vec4(xs.w), dys, sums[3]);
            sums[4] = fma(vec4(xs_2.x), dys, sums[4]);
            sums[5] = fma(vec4(xs_2.y), dys, sums[5]);
            sums[6] = fma(vec4(xs_2.z), dys, sums[6]);
            sums[7] = fma(vec4(xs_2.w), dys, sums[7]);
        }
        workgroupBarrier();
    }
    let column = column_0 + my_columns * 4u;
    for (var r = 0u; r < 8u; r++) {
        let input = input_0 + my_inputs * 8u + r;
        store(input, column, sums[r].x);
        store(input, column + 1u, sums[r].y);
        store(input, column + 2u, sums[r].z);
        store(input, column + 3u, sums[r].w);
    }
}
