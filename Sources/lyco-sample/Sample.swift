import ArgumentParser
import CPlatform
import CommandSupport
import LinearAlgebra
import Pipelines
import Sampling

/// `lyco-sample --base CKPT [ADAPTER…] --prompt TEXT -o OUT.png`
@main
struct Sample: Tool {
  static let configuration = CommandConfiguration(
    commandName: "lyco-sample",
    abstract: "Draw pictures with a checkpoint and adapters.",
    discussion: """
      Adapters are merged into the weights in memory, as lyco-merge does it in a file. A seed gives the \
      picture that diffusers draws of it on the processor.

      EXAMPLES
        lyco-sample --base base.safetensors --prompt "a lighthouse" -o out.png
        lyco-sample --base base.safetensors style.safetensors --ratio 0.8 \\
          --prompt "a lighthouse" --negative_prompt "blurry" \\
          --steps 30 --sampler euler_a --seed 1 --batch 4 -o out/
        lyco-sample --base base.safetensors style-000002.safetensors \\
          style-000004.safetensors --prompts prompts.txt --grid epochs.png
        lyco-sample --base base.safetensors style.safetensors \\
          --ratio 0 0.5 1 --prompt "a lighthouse" --grid strengths.png

      EXIT STATUS
        0 done, 1 the work failed, 64 wrong usage, 130 interrupted
      """,
    version: Suite.version)

  static let options = OptionTable.sample
  static let normalization = ArgumentNormalization(
    of: options, wordLists: [SampleModelOptions.modules: SampleModelOptions.moduleNames],
    positionals: ["network_weights"], ignored: SampleModelOptions.ignored)

  @Argument(
    help: "Adapters: applied together, or with '--grid' each by itself.", completion: .file())
  var adapters: [String] = []

  @OptionGroup(title: "Model") var model: SampleModelOptions
  @OptionGroup(title: "Model") var family: FamilyOptions
  @OptionGroup(title: "Strength") var strength: StrengthOptions
  @OptionGroup(title: "Pictures") var pictures: PictureOptions
  @OptionGroup(title: "Output") var output: PictureOutputOptions

  func validate() throws {
    guard output.path != nil || output.grid != nil || output.isDryRun else {
      throw ValidationError(
        "expected an output: '-o OUT.png', or '--grid OUT.png' for one picture of all; '--dry_run' shows the plan "
          + "without one")
    }
    try checkStrengths()
  }

  /// Without the modules that kohya's scripts are told for each adapter.
  static func expanded(_ arguments: [String]) throws -> [String] {
    let end = arguments.firstIndex(of: "--") ?? arguments.endIndex
    let name = "--\(SampleModelOptions.modules)"
    let rest = arguments[..<end].filter { $0 != name && !$0.hasPrefix("\(name)=") }
    if rest.count < end {
      StandardError.say("'\(name)' has no effect: what an adapter is, its file says")
    }
    return rest + arguments[end...]
  }

  /// Errors of prompts are of the command line where they stand in it.
  static func isUsage(_ error: any Error) -> Bool {
    switch error {
    case let error as SamplingError: error.isOfOptions
    default: false
    }
  }

  func work(_ given: GivenOptions) async throws {
    BLASThreads.set(1)
    let (configuration, notices) = try samplingConfiguration()
    let plan = try SamplingPlan(configuration)
    let summary = SamplingSummary(isQuiet: output.quiet, asJSON: output.asJSON)
    for notice in notices + plan.notices { StandardError.say("note: \(notice)") }
    let places = try PicturePlaces(output, of: plan, prompts: pictures.promptFile)
    if output.isDryRun {
      summary.print(plan)
      return try plan.checkMemory()
    }
    try plan.checkMemory()
    let files = try PictureFiles(places)
    defer { withExtendedLifetime(files) {} }
    let line = SamplingProgressLine(isQuiet: output.quiet)
    let job = try SamplingJob(plan, files, line, emphasis: pictures.emphasis)
    try job.run()
    summary.print(job.report)
  }

  static func main() async {
    lyco_keep_all_freed_memory()
    await start()
  }
}
