import type { Command } from 'commander'
import { CommandFailure } from '#cli/command-failure.ts'
import { withGatewayOptions } from '#cli/gateway-client.ts'
import type { FitOptions } from '#cli/run-fit.ts'

export function addFitCommand(program: Command): void {
  withGatewayOptions(program.command('fit'))
    .description('Say whether a model fits, in which quantization, and how fast it would be.')
    .argument('[model]', 'of the catalogue, as llama-3.1-8b[:Q4_K_M], or hf:…, https:…, file:…')
    .option('--context <tokens>', 'of one request, as 8192 or 8k (default: as much as fits)')
    .option('--slots <count>', 'requests at a time (default: what the engine has)')
    .option('--kv-cache-types <types>', 'that the KV cache may have, as f16,q8_0 (default: f16)')
    .option('--offload', 'layers may be left to the CPU, which is many times slower')
    .option('--on <device>', 'a device that need not be here: rtx-4090, "2 x rtx-3090 24GiB"')
    .option('--inventory <file>', 'a fleet as "motley nodes --json" printed it')
    .option('--list', 'which models of the catalogue fit')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Looks at the fleet where a controller answers, else at this machine. Nothing is
downloaded; of hf: and https: the headers are read. Exits with 1 when it fits
nowhere.`,
    )
    .action(async (model: string | undefined, options: FitOptions) => {
      // Started only when it is asked for: what all engines run on takes long to read.
      const { answerFit, listFits } = await import('#cli/run-fit.ts')
      if (options.list) return listFits(options)
      if (model === undefined) {
        throw new CommandFailure('wrong', 'which model? As "motley fit llama-3.1-8b", or --list')
      }
      return answerFit(model, options)
    })
}
