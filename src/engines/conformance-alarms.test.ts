/** What engines write while they compute on the CPU, and what we make of it. */
import { expect, test } from 'vitest'
import type { EngineId } from '#core/engine-id.ts'
import { readAlarms } from '#engines/engine-alarms.ts'
import { engines } from '#engines/index.ts'

const alarmsOf = (id: EngineId, log: string): string[] =>
  readAlarms(engines.find((engine) => engine.id === id)?.alarms ?? [], log)

test.each<{ id: EngineId; log: string; alarm: RegExp }>([
  {
    id: 'llama-server',
    log: 'load_tensors: offloading 12 repeating layers to GPU\nload_tensors: offloaded 12/33 layers to GPU',
    alarm: /^Only 12 of its 33 layers are on the GPU/,
  },
  {
    id: 'llama-server',
    log: 'load_tensors: offloaded 3/33 layers to GPU',
    alarm: /^Only 3 of its 33 layers/,
  },
  {
    id: 'llama-server',
    log: 'load_tensors: offloaded 0/33 layers to GPU',
    alarm: /^None of its 33 layers/,
  },
  {
    id: 'llama-server',
    log: 'warning: no usable GPU found, --gpu-layers option will be ignored\nwarning: one possible reason is that llama.cpp was compiled without GPU support',
    alarm: /sees no GPU/,
  },
  {
    id: 'llama-server',
    log: 'ggml_cuda_init: failed to initialize CUDA: no CUDA-capable device is detected',
    alarm: /sees no GPU/,
  },
  { id: 'whisper-cpp', log: 'whisper_backend_init_gpu: no GPU found', alarm: /sees no GPU/ },
  {
    id: 'ollama',
    log: 'time=2026-11-02T10:00:00Z level=INFO source=gpu.go:396 msg="no compatible GPUs were discovered"',
    alarm: /sees no GPU/,
  },
  {
    id: 'ollama',
    log: 'level=INFO source=types.go:60 msg="inference compute" id=cpu library=cpu compute="" name=cpu',
    alarm: /sees no GPU/,
  },
  {
    id: 'ollama',
    log: 'level=INFO source=ggml.go:494 msg="offloaded 21/37 layers to GPU"',
    alarm: /^Only 21 of its 37 layers/,
  },
  {
    id: 'vllm',
    log: 'INFO 11-02 10:00:00 [__init__.py:239] Automatically detected platform cpu.',
    alarm: /on the CPU/,
  },
  {
    id: 'vllm',
    log: 'INFO [uva.py:61] Total CPU offloaded parameters: 24.28\nINFO next',
    alarm: /^24\.28 GiB of its weights/,
  },
  {
    id: 'sglang',
    log: '/torch/cuda/__init__.py:129: UserWarning: CUDA initialization: The NVIDIA driver on your system is too old (found version 11040).',
    alarm: /CUDA does not start/,
  },
  {
    id: 'tei',
    log: 'INFO text_embeddings_backend_candle: backends/candle/src/lib.rs:280: Starting Bert model on Cpu',
    alarm: /on the CPU/,
  },
  {
    id: 'motley-embedded',
    log: '{"ready":true,"model":"tiny","contextTokens":256,"gpuLayers":0,"layers":7,"loadMs":40}',
    alarm: /^None of its 7 layers/,
  },
  {
    id: 'motley-embedded',
    log: '{"ready":true,"model":"tiny","gpuLayers":3,"layers":33}',
    alarm: /^Only 3 of its 33 layers/,
  },
])('$id: $log', ({ id, log, alarm }) => {
  expect(alarmsOf(id, log)).toEqual([expect.stringMatching(alarm)])
})

test.each<{ id: EngineId; log: string }>([
  { id: 'llama-server', log: 'load_tensors: offloaded 33/33 layers to GPU' },
  { id: 'llama-server', log: 'load_tensors:   CPU_Mapped model buffer size =   281.81 MiB' },
  {
    id: 'ollama',
    log: 'msg="inference compute" id=GPU-7d14 library=cuda variant=v12\nmsg="offloaded 37/37 layers to GPU"',
  },
  { id: 'vllm', log: 'INFO [__init__.py:239] Automatically detected platform cuda.' },
  { id: 'vllm', log: 'INFO [uva.py:61] Total CPU offloaded parameters: 0' },
  { id: 'tei', log: 'Starting FlashBert model on Cuda(CudaDevice(DeviceId(1)))' },
  { id: 'motley-embedded', log: '{"ready":true,"model":"tiny","gpuLayers":33,"layers":33}' },
])('$id, and all is well: $log', ({ id, log }) => {
  expect(alarmsOf(id, log)).toEqual([])
})

test('of two loads of a model the newer counts, and a sentence comes once', () => {
  const log =
    'offloaded 20/37 layers to GPU\noffloaded 30/37 layers to GPU\nno GPU found\nno GPU found'
  expect(alarmsOf('ollama', log)).toEqual([
    expect.stringMatching(/^Only 30 of its 37/),
    expect.stringMatching(/sees no GPU/),
  ])
})
