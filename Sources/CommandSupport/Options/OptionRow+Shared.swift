import Checkpoints
import ModelFamilies
import Tensors

/// Options that several tools have.
extension OptionRow {
  static let output = value("o output save_to")
  static let family = value("family", in: .families, standard: "auto")
  static let reader = value("reader", in: .readers)
  static let excluded = list("exclude_patterns")
  static let included = list("include_patterns", read: "exclude_patterns")
  /// Threads, and what is said of the work.
  static let job = [
    value("threads"), flag("dry_run"), flag("overwrite"), flag("q quiet"), flag("v verbose"),
    flag("json"),
  ]
}

extension OptionWords {
  /// Of `--model_version`: what families tell apart of models with the same weights.
  package static let versions = OptionWords({
    ["original"] + Set(ModelFamily.all.flatMap(\.variants)).sorted()
  })

  package static let families = OptionWords(
    { ["auto"] + ModelFamily.all.map(\.name) }, "",
    """
    sd sd15 sd1.5 sd-1.5 sd1.4 sd14 sd1x sd-v1 sdv1 stable-diffusion stable-diffusion-v1 stable-diffusion-v1-5 1.5 = sd1
    sd20 sd21 sd2.0 sd2.1 sd-2.1 sd2x sdv2 sd-v2 v2 stable-diffusion-v2 = sd2
    sd-xl xl sdxl1.0 sdxl10 sdxl-1.0 sdxl-base sdxl-turbo pony ponyxl illustrious noobai animagine stable-diffusion-xl = sdxl
    refiner sdxlrefiner = sdxl-refiner
    sd35 sd3.5 sd3.0 sd30 sd3-medium stable-diffusion-3 = sd3
    flux1 flux.1 flux-1 flux-dev flux1-dev flux-schnell flux.1-dev kontext = flux
    flux.2 flux-2 flux2-dev klein = flux2
    wan21 wan22 wan2.1 wan2.2 wan2 wan-2.1 wan-video = wan
    hunyuan hunyuanvideo hv hyvideo = hunyuan-video
    hv15 hunyuanvideo1.5 hunyuanvideo15 hunyuan-video15 = hunyuan-video-1.5
    hydit hunyuandit = hunyuan-dit
    qwen qwenimage qwen-image-edit = qwen-image
    zimage z-image-turbo = z-image
    lumina lumina-image lumina-2 = lumina2
    cosmos cosmos-predict2 = anima
    krea krea-2 k2 = krea2
    hunyuanimage hunyuan-image-2.1 hunyuanimage2.1 hyimage = hunyuan-image
    hidream-i1 hidreami1 = hidream
    ltx ltxv ltxvideo ltx-v = ltx-video
    ltx-2 ltxav ltx2.3 ltx-2.3 = ltx2
    ernie ernieimage = ernie-image
    kandinsky kandinsky-5 k5 = kandinsky5
    omnigen omnigen-2 = omnigen2
    aura aura-flow ponyv7 pony-v7 = auraflow
    pixart-alpha pixart-sigma pixartsigma pixart-a pixart-s = pixart
    sana-1.6b sana-0.6b sana-1.5 = sana
    cogvideo cogvideox-5b cogvideox-2b = cogvideox
    mochi-1 mochi1 genmo = mochi
    cosmos-1 cosmos-1.0 cosmos-predict1 predict1 = cosmos1
    stable-cascade stablecascade stage-c wuerstchen-v3 = cascade
    unknown other any custom none = generic
    """)

  /// Programs that load adapters, by the table's other words for them too.
  package static let readers = OptionWords(
    { AdapterReader.words.map(\.name) },
    AdapterReader.words.filter { !$0.others.isEmpty }
      .map { "\($0.others.joined(separator: " ")) = \($0.name)" }.joined(separator: "\n"),
    """
    kohya sd-scripts kohya_ss = its scripts load what they train: '--to kohya' of lyco-convert has their names
    ai-toolkit onetrainer sdnext = it is none of the programs that are known
    swarmui swarm = comfyui
    """)

  /// Formats of stored numbers as kohya's scripts and torch call them.
  package static let precisions = numberFormats()

  /// - Parameter layouts: of a whole file, beside formats of numbers.
  static func numberFormats(and layouts: String = "") -> OptionWords {
    OptionWords(
      "fp16 bf16 fp32 fp8_e4m3 fp8_e5m2 " + layouts,
      equals: """
        float16 = fp16
        bfloat16 = bf16
        float float32 = fp32
        fp8_e4m3fn = fp8_e4m3
        """, hints: precisionHints)
  }

  static let precisionHints = """
    half f16 16 torch.float16 = fp16
    bf bfloat torch.bfloat16 = bf16
    full single f32 32 no none torch.float32 = fp32
    fp8 float8 f8 8 8bit int8 e4m3 e4m3fn float8_e4m3fn = fp8_e4m3
    e5m2 float8_e5m2 = fp8_e5m2
    """

  static let booleans = OptionWords("true false", equals: "1 yes on = true\n0 no off = false")
}
