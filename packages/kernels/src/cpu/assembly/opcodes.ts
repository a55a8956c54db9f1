// Numbers that the device writes into programs and commands and that the kernels read. Shared with TypeScript: plain constants only.

/** Kernels, the first word of a command. */
export const MAP = 0;
export const REDUCE = 1;
export const MATMUL = 2;
export const CONV2D = 3;
export const CONV2D_INPUT_GRAD = 4;
export const CONV2D_FILTER_GRAD = 5;
export const GROUP_NORM = 6;
export const GROUP_NORM_GRAD = 7;
export const LAYER_NORM = 8;
export const LAYER_NORM_GRAD = 9;
export const ATTENTION = 10;
export const ATTENTION_GRAD = 11;
export const SOFTMAX = 12;
export const GATHER = 13;
export const GATHER_GRAD = 14;

/** Where a value of a program lives: the first word of a location. */
export const AT_INPUT = 0;
export const AT_OUTPUT = 1;
export const AT_REGISTER = 2;
export const AT_UNIFORM = 3;
export const AT_CONSTANT = 4;
export const AT_SCALAR = 5;

/** Reductions by dtype; integers as signed or unsigned where it matters. */
export const REDUCE_SUM_F = 0;
export const REDUCE_MAX_F = 1;
export const REDUCE_SUM_I = 2;
export const REDUCE_MAX_S = 3;
export const REDUCE_MAX_U = 4;

/** Instructions of a program, in families of 32: the family decides which function runs them. */
export const FAMILY_SHIFT = 5;

export const LOADS = 0;
export const LOAD_VIEW = 0;
export const LOAD_PERIODIC = 1;
export const LOAD_UNIFORM = 2;
export const LOAD_INDEX = 3;
export const COPY = 4;
export const LOAD_REPEATED = 5;

export const ARITHMETIC = 1;
export const ADD_F = 32;
export const SUB_F = 33;
export const MUL_F = 34;
export const DIV_F = 35;
export const MIN_F = 36;
export const MAX_F = 37;
export const MADD_F = 38;
export const NMADD_F = 39;
export const WHERE = 40;
export const NEG_F = 41;
export const ABS_F = 42;
export const SIGN_F = 43;
export const FLOOR_F = 44;
export const CEIL_F = 45;
export const SQRT_F = 46;
export const RSQRT_F = 47;

export const ELEMENTARY = 2;
export const EXP_F = 64;
export const LOG_F = 65;
export const LOG1P_F = 66;
export const SIN_F = 67;
export const COS_F = 68;
export const TANH_F = 69;
export const ERF_F = 70;
export const SIGMOID_F = 71;
export const SOFTPLUS_F = 72;
export const POW_F = 73;
export const RANDOM_BITS = 74;
export const RANDOM_UNIFORM = 75;
export const RANDOM_NORMAL = 76;

export const COMPARISON = 3;
export const LT_F = 96;
export const LE_F = 97;
export const EQ_F = 98;
export const NE_F = 99;
export const LT_S = 100;
export const LE_S = 101;
export const LT_U = 102;
export const LE_U = 103;
export const EQ_I = 104;
export const NE_I = 105;

export const INTEGER = 4;
export const ADD_I = 128;
export const SUB_I = 129;
export const MUL_I = 130;
export const MIN_S = 131;
export const MAX_S = 132;
export const MIN_U = 133;
export const MAX_U = 134;
export const NEG_I = 135;
export const ABS_S = 136;
export const SIGN_S = 137;
export const SIGN_U = 138;
export const AND = 139;
export const OR = 140;
export const XOR = 141;
export const NOT = 142;

export const CONVERSION = 5;
export const F_FROM_S = 160;
export const F_FROM_U = 161;
export const S_FROM_F = 162;
export const U_FROM_F = 163;
export const BOOL_FROM_F = 164;
export const BOOL_FROM_I = 165;
